// What comes from the URL of a missing issuer: DER, PEM or PKCS#7; and the path through all of it.
#include <x509/path_search.hpp>
#include <x509/pkcs7.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace postern;
    const auto found = x509::read_issuer_certificates(BytesView(data, size));
    if (!found) return 0;
    x509::CertificateIndex anchors, sent;
    for (const auto& der : *found)
        if (auto certificate = x509::Certificate::read(der)) {
            if (anchors.size() == 0) anchors.add(*certificate);
            sent.add(std::move(*certificate));
        }
    for (const auto& der : *found)
        if (const auto leaf = x509::Certificate::read(der)) {
            x509::PathSearch search(*leaf, {&anchors}, {&sent}, {});
            while (search.next()) {}
        }
    return 0;
}
