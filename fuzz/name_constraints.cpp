// Names held against the bases of name constraints: what a permission holds, an exclusion of the same base holds too.
#include <cstdlib>
#include <x509/name_constraints.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace postern;
    x509::Reader reader(BytesView(data, size));
    const auto names = x509::read_general_names(x509::Reader(reader.expect(x509::tag::sequence)), 50);
    const auto bases = x509::read_general_names(x509::Reader(reader.expect(x509::tag::sequence)), 50);
    if (!names || !bases) return 0;
    for (const auto& name : *names)
        for (const auto& base : *bases)
            if (name.kind == base.kind && x509::within_subtree(name, base, false) &&
                !x509::within_subtree(name, base, true))
                std::abort();
    return 0;
}
