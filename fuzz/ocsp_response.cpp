// A stapled response: read, and held against itself.
#include <x509/ocsp.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace postern;
    const auto response = x509::OcspResponse::read(BytesView(data, size));
    if (!response) return 0;
    for (const auto& certificate : response->certificates) {
        (void)response->names(certificate);
        for (const auto& answer : response->answers) (void)answer.speaks_of(certificate, certificate);
    }
    return 0;
}
