// A header section and the paths of an envelope.
#include <mail/address.hpp>
#include <mail/header.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace postern;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    for (const auto& field : mail::fields(text)) (void)mail::authserv_id(field.body);
    (void)mail::from_domains(text);
    (void)mail::without(text, [](const mail::HeaderField& field) { return mail::named(field, "x-postern"); });
    auto path = text;
    (void)mail::parse_forward_path(path);
    path = text;
    (void)mail::parse_reverse_path(path);
    (void)mail::canonical_domain(text);
    return 0;
}
