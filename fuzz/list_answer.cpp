// The body of an answer: taken apart as DER, PEM or PKCS#7, each list in it decoded.
#include <crl/list_answer.hpp>
#include <x509/crl.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace postern;
    auto lists = crl::lists_of(Bytes(data, data + size));
    if (!lists) return lists.failure.text.empty() ? __builtin_trap(), 0 : 0;
    if (lists->empty() || lists->size() > crl::most_lists_an_answer) __builtin_trap();
    for (auto& der : *lists) (void)x509::CertificateList::read(std::move(der));
    return 0;
}
