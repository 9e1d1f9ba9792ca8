// Keys, certificates and two ends in memory for the tests of tls-mutual.
#pragma once

#include <gnutls/x509.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <tls-mutual/engine.hpp>

namespace tls_test {

using namespace postern;

class Folder {
public:
    Folder() {
        std::string pattern = (std::filesystem::temp_directory_path() / "postern-tls-XXXXXX").string();
        if (!::mkdtemp(pattern.data())) throw std::runtime_error("mkdtemp");
        path_ = pattern;
    }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    ~Folder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    std::string path(const std::string& name) const { return path_ + "/" + name; }
    std::string write(const std::string& name, const std::string& text, mode_t mode = 0600) const {
        const auto file = path_ + "/" + name;
        std::ofstream(file, std::ios::binary) << text;
        ::chmod(file.c_str(), mode);
        return file;
    }

private:
    std::string path_;
};

inline void must(int status) {
    if (status < 0) throw std::runtime_error(gnutls_strerror(status));
}

struct Pair {
    std::string certificate, key;  // PEM
};

// Self-signed, P-256 or RSA-2048; larger by so many octets of an alternate name.
inline Pair make_pair(const std::string& name, gnutls_pk_algorithm_t algorithm = GNUTLS_PK_ECDSA, unsigned more = 0) {
    gnutls_x509_privkey_t key;
    gnutls_x509_crt_t certificate;
    must(gnutls_x509_privkey_init(&key));
    must(gnutls_x509_crt_init(&certificate));
    const unsigned bits = algorithm == GNUTLS_PK_ECDSA ? GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1) : 2048;
    must(gnutls_x509_privkey_generate(key, algorithm, bits, 0));
    must(gnutls_x509_crt_set_version(certificate, 3));
    must(gnutls_x509_crt_set_serial(certificate, "\x11\x22\x33", 3));
    must(gnutls_x509_crt_set_activation_time(certificate, ::time(nullptr) - 3600));
    must(gnutls_x509_crt_set_expiration_time(certificate, ::time(nullptr) + 86400));
    must(gnutls_x509_crt_set_dn_by_oid(certificate, GNUTLS_OID_X520_COMMON_NAME, 0, name.data(),
                                       static_cast<unsigned>(name.size())));
    must(gnutls_x509_crt_set_subject_alt_name(certificate, GNUTLS_SAN_DNSNAME, name.data(),
                                              static_cast<unsigned>(name.size()), GNUTLS_FSAN_SET));
    if (more > 0) {
        const auto address = "https://example.org/" + std::string(more, 'n');
        must(gnutls_x509_crt_set_subject_alt_name(certificate, GNUTLS_SAN_URI, address.data(),
                                                  static_cast<unsigned>(address.size()), GNUTLS_FSAN_APPEND));
    }
    must(gnutls_x509_crt_set_key(certificate, key));
    must(gnutls_x509_crt_sign2(certificate, certificate, key, GNUTLS_DIG_SHA256, 0));
    tls_mutual::OwnedDatum certificate_pem, key_pem;
    must(gnutls_x509_crt_export2(certificate, GNUTLS_X509_FMT_PEM, &certificate_pem.datum));
    must(gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &key_pem.datum));
    gnutls_x509_crt_deinit(certificate);
    gnutls_x509_privkey_deinit(key);
    const auto text = [](const tls_mutual::OwnedDatum& pem) {
        const auto view = pem.view();
        return std::string(view.begin(), view.end());
    };
    return {text(certificate_pem), text(key_pem)};
}

inline Ref<TlsIdentity> identity(TlsEngine& engine, const Pair& pair) {
    const Folder folder;
    auto loaded = engine.load({"test", folder.write("c.pem", pair.certificate), folder.write("k.pem", pair.key)});
    if (!loaded) throw std::runtime_error(loaded.failure.text);
    return *loaded;
}

inline Bytes drained(TlsSession& session) {
    Bytes octets;
    session.drain(octets);
    return octets;
}

// Carries what one end made to the other in pieces of `step` octets, calling `turn` after each; false when idle.
template <class Turn>
bool carry(TlsSession& from, TlsSession& to, std::size_t step, Turn turn) {
    const auto octets = drained(from);
    for (std::size_t at = 0; at < octets.size(); at += step) {
        to.feed(BytesView(octets).subspan(at, std::min(step, octets.size() - at)));
        turn(to);
    }
    return !octets.empty();
}

struct Ends {
    Ref<TlsSession> client, server;
    TlsStatus client_status = TlsStatus::want_input, server_status = TlsStatus::want_input;

    void shake(std::size_t step = 1u << 20) {
        client_status = client->handshake();
        server_status = server->handshake();
        const auto turn = [this](TlsSession& end) {
            (&end == client.get() ? client_status : server_status) = end.handshake();
        };
        while (carry(*client, *server, step, turn) || carry(*server, *client, step, turn)) {}
    }
};

inline std::string read_all(TlsSession& session, TlsStatus& status) {
    std::string text;
    std::uint8_t block[1000];
    std::size_t count = 0;
    while ((status = session.read(block, count)) == TlsStatus::ok) text.append(block, block + count);
    return text;
}

inline TlsStatus say(TlsSession& session, std::string_view text) {
    return session.write({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
}

}  // namespace tls_test
