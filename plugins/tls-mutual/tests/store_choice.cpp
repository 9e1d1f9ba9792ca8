#include <catch2/catch.hpp>
#include <deque>
#include <tls-mutual/facts.hpp>
#include <tls-mutual/store/choice.hpp>
#include <tls-mutual/store/expiry.hpp>
#include <tls-mutual/store/remarks.hpp>

using namespace postern;
using namespace postern::tls_mutual;

namespace {

const Time now = Time(std::chrono::hours(24 * 20000));
constexpr std::chrono::hours day{24};

// A table of certificates that are not real: the choice reads their facts alone.
struct Table {
    std::deque<StoredCertificate> kept;
    std::vector<Candidate> all;

    StoredCertificate& add(const std::string& sha256, std::vector<std::string> names, int days = 90,
                           Validation validation = Validation::good) {
        auto& one = kept.emplace_back();
        one.about.smtp = true;
        one.leaf.sha256 = sha256;
        one.leaf.dns_names = std::move(names);
        one.leaf.has_alternative_names = true;
        one.leaf.client_purpose = one.leaf.server_purpose = true;
        one.leaf.not_before = now - day;
        one.leaf.not_after = now + day * days;
        all.push_back({&one, validation, true, validation == Validation::failed ? "revoked" : ""});
        return one;
    }
    std::vector<Ranked> rank(CertificateUse use = CertificateUse::server, const std::string& pin = {}) const {
        return tls_mutual::rank(all, {"mail1.contoso.com", use, pin}, now);
    }
    std::string first(CertificateUse use = CertificateUse::server) const {
        const auto ranked = rank(use);
        return ranked.empty() || !ranked.front().fits ? "" : ranked.front().candidate->certificate->leaf.sha256;
    }
    std::string why(const std::string& sha256, CertificateUse use = CertificateUse::server) const {
        for (const auto& one : rank(use))
            if (one.candidate->certificate->leaf.sha256 == sha256) return one.reason;
        return "?";
    }
};

bool holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("what cannot be shown is passed over, and each says why", "[tls-mutual]") {
    Table table;
    table.add("off", {"mail1.contoso.com"}).about.smtp = false;
    table.add("ended", {"mail1.contoso.com"}, -1);
    table.add("early", {"mail1.contoso.com"}).leaf.not_before = now + day;
    table.add("other", {"mail2.contoso.com"});
    table.add("client", {"mail1.contoso.com"}).leaf.server_purpose = false;
    table.add("away", {"mail1.contoso.com"});
    table.all.back().key_present = false;
    CHECK(table.first().empty());
    CHECK(holds(table.why("off"), "is not enabled"));
    CHECK(holds(table.why("ended"), "expired on"));
    CHECK(holds(table.why("early"), "is not valid before"));
    CHECK(holds(table.why("other"), "does not cover mail1.contoso.com"));
    CHECK(holds(table.why("client"), "is not for servers"));
    CHECK(holds(table.why("away"), "token"));
}

TEST_CASE("exact before wildcard, good before unknown before failed, CA before self-signed, then the latest end",
          "[tls-mutual]") {
    Table table;
    table.add("wild", {"*.contoso.com"}, 400);
    table.add("failed", {"mail1.contoso.com"}, 399, Validation::failed);
    table.add("self", {"mail1.contoso.com"}, 398, Validation::unknown).leaf.self_issued = true;
    table.add("unknown", {"mail1.contoso.com"}, 397, Validation::unknown);
    table.add("sooner", {"mail1.contoso.com"}, 30);
    table.add("later", {"mail1.contoso.com"}, 60);
    std::vector<std::string> order;
    for (const auto& one : table.rank()) order.push_back(one.candidate->certificate->leaf.sha256);
    CHECK(order == std::vector<std::string>{"later", "sooner", "unknown", "self", "failed", "wild"});
    CHECK(holds(table.why("later"), "covers mail1.contoso.com, validation good, issued by a CA, ends"));
    CHECK(holds(table.why("sooner"), "ends earlier"));
    CHECK(holds(table.why("self"), "validation is unknown"));
    CHECK(holds(table.why("failed"), "revoked"));
    CHECK(holds(table.why("wild"), "by a wildcard"));
}

TEST_CASE("as a client one with clientAuth goes before one without, which goes before a self-signed one",
          "[tls-mutual]") {
    Table table;
    auto& self = table.add("self", {"mail1.contoso.com"}, 90, Validation::unknown);
    self.leaf.self_issued = true;
    table.add("server", {"mail1.contoso.com"}, 90).leaf.client_purpose = false;
    CHECK(table.first(CertificateUse::client) == "server");
    table.add("both", {"mail1.contoso.com"}, 10);
    CHECK(table.first(CertificateUse::client) == "both");
    CHECK(table.first(CertificateUse::server) == "server");
    CHECK(holds(table.why("server", CertificateUse::client), "lacks clientAuth"));
}

TEST_CASE("the one made by itself is for servers alone", "[tls-mutual]") {
    Table table;
    table.add("automatic", {"mail1.contoso.com"}).about.origin = Origin::automatic;
    CHECK(table.first(CertificateUse::server) == "automatic");
    CHECK(table.first(CertificateUse::client).empty());
}

TEST_CASE("a pinned certificate is taken as it is, or none", "[tls-mutual]") {
    Table table;
    table.add("good", {"mail1.contoso.com"});
    table.add("pinned", {"elsewhere.contoso.com"}).about.smtp = false;
    auto ranked = table.rank(CertificateUse::server, "pinned");
    CHECK(ranked.front().fits);
    CHECK(ranked.front().candidate->certificate->leaf.sha256 == "pinned");
    CHECK_FALSE(table.rank(CertificateUse::server, "absent").front().fits);
}

TEST_CASE("the CN counts where there are no alternative names at all", "[tls-mutual]") {
    Table table;
    auto& one = table.add("cn", {});
    one.leaf.common_names = {"mail1.contoso.com"};
    CHECK(table.first().empty());
    one.leaf.has_alternative_names = false;
    CHECK(table.first() == "cn");
}

TEST_CASE("an end is spoken of at 30, 14, 7 and 1 days", "[tls-mutual]") {
    CHECK_FALSE(expiry_step({now - day * 90, now + day * 31}, now));
    CHECK(expiry_step({now - day * 90, now + day * 30}, now) == 30);
    CHECK(expiry_step({now - day * 90, now + day * 15}, now) == 30);
    CHECK(expiry_step({now - day * 90, now + day * 14}, now) == 14);
    CHECK(expiry_step({now - day * 90, now + day * 7}, now) == 7);
    CHECK(expiry_step({now - day * 90, now + day * 2}, now) == 7);
    CHECK(expiry_step({now - day * 90, now + std::chrono::hours(3)}, now) == 1);
    CHECK(expiry_step({now - day * 90, now}, now) == 0);
    // One that lives for days alone, and one without an end (year 9999).
    CHECK_FALSE(expiry_step({now, now + day * 6}, now));
    CHECK(expiry_step({now - day * 5, now + std::chrono::hours(20)}, now) == 1);
    CHECK_FALSE(expiry_step({Time::min(), Time::max()}, now));
    CHECK_FALSE(expiry_alarms({Time::min(), Time::max()}, now));
    CHECK_FALSE(expiry_alarms({now, now + day * 6}, now));
    CHECK(expiry_alarms({now - day * 4, now + day * 2}, now));
    CHECK(expiry_alarms({now - day * 76, now + day * 14}, now));
    CHECK_FALSE(expiry_alarms({now - day * 75, now + day * 15}, now));
}

TEST_CASE("partners reach lists over http at public names", "[tls-mutual]") {
    CHECK(reachable_by_partners("http://crl.contoso.com/ca.crl"));
    CHECK(reachable_by_partners("HTTPS://crl.contoso.com:8443/ca.crl"));
    for (const auto* url : {"ldap:///cn=ca?certificateRevocationList", "http://pki/ca.crl", "http://10.0.0.1/ca.crl",
                            "http://pki.contoso.local/ca.crl", "file:///etc/ca.crl", "http://[::1]/ca.crl", "nonsense"})
        CHECK_FALSE(reachable_by_partners(url));
}
