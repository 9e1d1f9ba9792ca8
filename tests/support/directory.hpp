// A real slapd on loopback that holds lists in entries of a directory, plain or in TLS.
#pragma once

#include <filesystem>
#include <support/loopback.hpp>

namespace postern::test {

class Slapd {
public:
    struct Entry {
        std::string cn;
        std::vector<std::string> lists;  // files with DER
    };
    struct Terms {
        std::vector<Entry> entries;
        std::string certificate, key, more;  // PEM files: then it speaks ldaps
    };

    Slapd(const std::string& folder, const Terms& terms)
        : port_(free_port()), tls_(!terms.certificate.empty()), daemon_(command(folder, terms), port_) {}
    std::uint16_t port() const { return port_; }
    static std::string dn(const std::string& cn) { return "cn=" + cn + ",o=Directory"; }
    std::string url(
        const std::string& cn, const std::string& host = "127.0.0.1",
        const std::string& question = "?certificateRevocationList;binary?base?objectClass=cRLDistributionPoint") const {
        return (tls_ ? "ldaps://" : "ldap://") + (host.empty() ? host : host + ":" + std::to_string(port_)) + "/" +
               dn(cn) + question;
    }

private:
    static void run(const std::string& command) {
        if (std::system(command.c_str()) != 0) throw std::runtime_error(command + " failed");
    }
    std::vector<std::string> command(const std::string& folder, const Terms& terms) const {
        std::filesystem::create_directories(folder + "/data");
        const auto settings = folder + "/slapd.conf", content = folder + "/content.ldif";
        std::string text = "include /etc/ldap/schema/core.schema\npidfile " + folder + "/slapd.pid\nargsfile " +
                           folder + "/slapd.args\n";
        if (tls_) text += "TLSCertificateFile " + terms.certificate + "\nTLSCertificateKeyFile " + terms.key + "\n";
        write_file(settings, text + terms.more + "database ldif\nsuffix o=Directory\ndirectory " + folder + "/data\n");
        std::string ldif = "dn: o=Directory\nobjectClass: organization\no: Directory\n\n";
        for (const auto& entry : terms.entries) {
            ldif += "dn: " + dn(entry.cn) + "\nobjectClass: cRLDistributionPoint\ncn: " + entry.cn + "\n";
            for (const auto& list : entry.lists) ldif += "certificateRevocationList;binary:< file://" + list + "\n";
            ldif += "\n";
        }
        write_file(content, ldif);
        run("/usr/sbin/slapadd -f " + settings + " -l " + content + " >" + folder + "/slapadd.log 2>&1");
        const auto where = (tls_ ? "ldaps" : "ldap") + std::string("://127.0.0.1:") + std::to_string(port_) + "/";
        return {"/usr/sbin/slapd", "-f", settings, "-h", where, "-d", "0"};
    }
    std::uint16_t port_;
    bool tls_;
    Daemon daemon_;
};

}  // namespace postern::test
