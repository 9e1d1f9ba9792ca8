// What a file of certificates holds, in whatever form it came: PEM, DER, PKCS#7, PKCS#12. And the last one's making.
//
// It reads and packs; which certificate is whose is cert_import's to find out.
#pragma once

#include <functional>
#include <tls-mutual/handles.hpp>
#include <tls-mutual/key_file.hpp>

namespace postern::tls_mutual {

struct Contents {
    std::vector<Bytes> certificates;  // DER, in the file's order
    PrivateKeyHandle key;             // null: none in it
    std::string friendly_name;        // a PKCS#12's
};

// `ask` is called where a password is needed, at most once. Failure: file, fault and remedy.
Outcome<Contents> read_contents(BytesView octets, const std::string& file, const std::function<Outcome<Secret>()>& ask);

enum class Encryption : std::uint8_t {
    modern,  // PBES2 with AES-256, MAC with SHA-256
    legacy,  // 3DES and SHA-1: what Windows before 2019 and Java before 8u301 read
};
Outcome<Secret> make_pkcs12(const std::vector<Bytes>& chain, gnutls_privkey_t key, const std::string& friendly_name,
                            const Secret& password, Encryption);

}  // namespace postern::tls_mutual
