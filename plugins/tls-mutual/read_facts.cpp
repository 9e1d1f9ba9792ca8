#include <array>
#include <tls-mutual/facts.hpp>
#include <tls-mutual/handles.hpp>

namespace postern::tls_mutual {

// Stands in until x509/ reads certificates: names alone, so that the engine can be used and tested.
std::optional<CertificateFacts> read_facts(BytesView der) {
    gnutls_x509_crt_t raw = nullptr;
    if (gnutls_x509_crt_init(&raw) != 0) return std::nullopt;
    const CertificateHandle certificate(raw);
    const auto datum = borrowed(der);
    if (gnutls_x509_crt_import(raw, &datum, GNUTLS_X509_FMT_DER) != 0) return std::nullopt;
    CertificateFacts facts;
    facts.der.assign(der.begin(), der.end());
    std::array<char, 256> name{};
    for (unsigned at = 0;; ++at) {
        auto size = name.size();
        const int kind = gnutls_x509_crt_get_subject_alt_name(raw, at, name.data(), &size, nullptr);
        if (kind < 0) break;
        facts.has_alternative_names = true;
        if (kind == GNUTLS_SAN_DNSNAME) facts.dns_names.emplace_back(name.data(), size);
    }
    return facts;
}

}  // namespace postern::tls_mutual
