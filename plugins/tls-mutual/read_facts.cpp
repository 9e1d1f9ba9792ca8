#include <tls-mutual/facts.hpp>
#include <x509/certificate.hpp>

namespace postern::tls_mutual {

std::optional<CertificateFacts> read_facts(BytesView der) {
    const auto certificate = x509::Certificate::read(der);
    if (!certificate) return std::nullopt;
    return x509::facts(*certificate);
}

}  // namespace postern::tls_mutual
