// A fetched list: decoded, and each of a few serials looked up.
#include <x509/crl.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace postern;
    const auto list = x509::CertificateList::read(Bytes(data, data + size));
    if (!list) return 0;
    for (const std::string_view serial : {"\x01", "\x10\x01", "\x7f\xff\xff\xff\xff\xff\xff\xff\xff"})
        (void)list->find(serial, list->issuer);
    return 0;
}
