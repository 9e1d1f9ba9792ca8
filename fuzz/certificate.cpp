// A stranger's certificate: read, described, and its path searched for under itself.
#include <x509/path_search.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace postern;
    const auto certificate = x509::Certificate::read(BytesView(data, size));
    if (!certificate) return 0;
    (void)x509::facts(*certificate);
    x509::CertificateIndex anchors, sent;
    anchors.add(*certificate);
    x509::PathSearch search(*certificate, {&anchors}, {&sent}, {});
    (void)search.next();
    return 0;
}
