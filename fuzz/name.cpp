// Two distinguished names: read, shown, compared. Comparison is symmetric, a name is within itself, and no text of one
// breaks a line of a log.
#include <cstdlib>
#include <x509/name.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace postern;
    x509::Reader reader(BytesView(data, size));
    const auto one = x509::Name::read(reader.expect(x509::tag::sequence));
    const auto other = x509::Name::read(reader.expect(x509::tag::sequence));
    if (!one) return 0;
    for (const unsigned char c : one->text())
        if (c < 0x20 || c == 0x7f) std::abort();
    if (!one->within(*one)) std::abort();
    if (!other) return 0;
    if ((*one == *other) != (*other == *one)) std::abort();
    if (*one == *other && (!one->within(*other) || !other->within(*one))) std::abort();
    return 0;
}
