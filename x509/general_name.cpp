// GeneralName and distribution points. See general_name.hpp.
#include <x509/general_name.hpp>

namespace postern::x509 {

std::optional<GeneralName> read_general_name(const Element& element) {
    if ((element.tag & 0xc0) != 0x80) return std::nullopt;
    const unsigned number = element.tag & 0x1f;
    if (number > 8) return std::nullopt;
    GeneralName name{static_cast<NameKind>(number), std::string(text(element.content)), std::nullopt};
    const bool constructed = (element.tag & 0x20) != 0;
    const bool wants_constructed = number == 0 || number == 3 || number == 4 || number == 5;
    if (constructed != wants_constructed) return std::nullopt;
    if (name.kind == NameKind::directory) {
        Reader explicit_tag(element);
        name.directory = Name::read(explicit_tag.expect(tag::sequence));
        if (!explicit_tag.finished() || !name.directory) return std::nullopt;
    }
    return name;
}

std::optional<GeneralNames> read_general_names(Reader names, std::size_t limit) {
    GeneralNames list;
    while (names.more()) {
        const auto element = names.any();
        if (names.failed() || list.size() == limit) return std::nullopt;
        auto name = read_general_name(element);
        if (!name) return std::nullopt;
        list.push_back(std::move(*name));
    }
    if (names.failed() || list.empty()) return std::nullopt;
    return list;
}

std::optional<DistributionPointName> read_distribution_point_name(const Element& wrapper) {
    Reader choice(wrapper);
    const auto element = choice.any();
    if (!choice.finished()) return std::nullopt;
    DistributionPointName name;
    if (element.tag == tag::context_constructed(0)) {
        auto full = read_general_names(Reader(element));
        if (!full) return std::nullopt;
        name.full = std::move(*full);
        return name;
    }
    if (element.tag != tag::context_constructed(1)) return std::nullopt;
    name.relative = Bytes(element.content.begin(), element.content.end());
    return name;
}

std::optional<std::uint16_t> read_reasons(const Element& element) {
    const auto bits = read_bit_string(element);
    if (!bits) return std::nullopt;
    std::uint16_t reasons = 0;
    for (unsigned n = 1; n <= 8; ++n)
        if (bits->bit(n)) reasons |= static_cast<std::uint16_t>(1u << n);
    return reasons;
}

constexpr std::size_t point_limit = 1000;

bool read_distribution_points(Reader value, std::vector<DistributionPoint>& points) {
    Reader list(value.expect(tag::sequence));
    while (list.more() && points.size() < point_limit) {
        Reader fields(list.expect(tag::sequence));
        auto& point = points.emplace_back();
        if (auto name = fields.optional(tag::context_constructed(0)))
            if (!(point.name = read_distribution_point_name(*name))) return false;
        if (auto reasons = fields.optional(tag::context(1)))
            if (!(point.reasons = read_reasons(*reasons))) return false;
        if (auto issuer = fields.optional(tag::context_constructed(2))) {
            auto names = read_general_names(Reader(*issuer));
            if (!names) return false;
            point.crl_issuer = std::move(*names);
        }
        if (!fields.finished() || (!point.name && point.crl_issuer.empty())) return false;
    }
    return value.finished() && list.finished() && !points.empty();
}

std::vector<std::string> DistributionPoint::urls() const {
    std::vector<std::string> list;
    if (name)
        for (const auto& full : name->full)
            if (full.kind == NameKind::uri) list.push_back(full.value);
    return list;
}

}  // namespace postern::x509
