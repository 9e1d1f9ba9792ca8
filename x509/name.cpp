// RFC 4514 text and RFC 5280 7.1 comparison of names. See name.hpp.
#include <algorithm>
#include <array>
#include <x509/name.hpp>
#include <x509/oid.hpp>

namespace postern::x509 {
namespace {

constexpr std::size_t rdn_limit = 64;
constexpr std::size_t attribute_limit = 16;  // in one RDN

struct ShortName {
    std::string_view oid, text;
};
using namespace std::string_view_literals;
constexpr std::array short_names{
    ShortName{oid::common_name, "CN"},
    ShortName{"\x55\x04\x04"sv, "SN"},
    ShortName{"\x55\x04\x05"sv, "serialNumber"},
    ShortName{"\x55\x04\x06"sv, "C"},
    ShortName{"\x55\x04\x07"sv, "L"},
    ShortName{"\x55\x04\x08"sv, "ST"},
    ShortName{"\x55\x04\x09"sv, "street"},
    ShortName{"\x55\x04\x0a"sv, "O"},
    ShortName{"\x55\x04\x0b"sv, "OU"},
    ShortName{"\x55\x04\x0c"sv, "title"},
    ShortName{"\x55\x04\x2a"sv, "givenName"},
    ShortName{"\x55\x04\x61"sv, "organizationIdentifier"},
    ShortName{"\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x19"sv, "DC"},
    ShortName{"\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x01"sv, "UID"},
    ShortName{oid::email_address, "emailAddress"},
};

void append_utf8(std::string& out, std::uint32_t point) {
    const auto put = [&](std::uint32_t octet) { out += static_cast<char>(octet); };
    if (point < 0x80) return put(point);
    if (point < 0x800) {
        put(0xc0 | point >> 6);
    } else {
        if (point < 0x10000) {
            put(0xe0 | point >> 12);
        } else {
            put(0xf0 | point >> 18);
            put(0x80 | (point >> 12 & 0x3f));
        }
        put(0x80 | (point >> 6 & 0x3f));
    }
    put(0x80 | (point & 0x3f));
}

bool valid_point(std::uint32_t point) { return point < 0x110000 && (point < 0xd800 || point > 0xdfff); }

bool is_utf8(std::string_view text) {
    for (std::size_t i = 0; i < text.size();) {
        const auto lead = static_cast<std::uint8_t>(text[i++]);
        if (lead < 0x80) continue;
        const unsigned more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
        if (lead < 0xc2 || lead > 0xf4 || text.size() - i < more) return false;
        std::uint32_t point = lead & (0x3fu >> more);
        for (unsigned k = 0; k < more; ++k) {
            const auto octet = static_cast<std::uint8_t>(text[i++]);
            if ((octet & 0xc0) != 0x80) return false;
            point = point << 6 | (octet & 0x3f);
        }
        constexpr std::uint32_t least[] = {0, 0x80, 0x800, 0x10000};
        if (point < least[more] || !valid_point(point)) return false;
    }
    return true;
}

// BMPString and UniversalString: big-endian code points of `width` octets.
std::optional<std::string> from_wide(BytesView content, std::size_t width) {
    if (content.size() % width != 0) return std::nullopt;
    std::string out;
    for (std::size_t i = 0; i < content.size(); i += width) {
        std::uint32_t point = 0;
        for (std::size_t k = 0; k < width; ++k) point = point << 8 | content[i + k];
        if (!valid_point(point)) return std::nullopt;
        append_utf8(out, point);
    }
    return out;
}

// Leading and trailing white space gone, inner runs one space, ASCII case folded (the core of RFC 4518's steps).
std::string normalise(std::string_view value) {
    std::string out;
    bool space = false;
    for (char c : fold_ascii(value)) {
        if (c == ' ' || (c >= '\t' && c <= '\r')) {
            space = !out.empty();
            continue;
        }
        if (space) out += ' ';
        space = false;
        out += c;
    }
    return out;
}

void append_counted(std::string& out, std::string_view part) {
    out += std::to_string(part.size());
    out += ':';
    out += part;
}

// RFC 4514 2.4. Controls are escaped as well, so that no name forges a line of a log.
std::string escape(std::string_view value) {
    std::string out;
    for (std::size_t i = 0; i < value.size(); ++i) {
        const char c = value[i];
        const auto octet = static_cast<std::uint8_t>(c);
        const bool edge = (i == 0 && (c == ' ' || c == '#')) || (i + 1 == value.size() && c == ' ');
        if (octet < 0x20 || octet == 0x7f) {
            out += '\\' + hex(BytesView(&octet, 1), true);
        } else {
            if (edge || std::string_view(",+\"\\<>;").find(c) != std::string_view::npos) out += '\\';
            out += c;
        }
    }
    return out;
}

std::string attribute_text(std::string_view type, const Element& value, const std::optional<std::string>& utf8) {
    const auto known = std::ranges::find(short_names, type, &ShortName::oid);
    if (known == short_names.end()) return dotted(bytes(type)) + "=#" + hex(value.whole, false);
    return std::string(known->text) + '=' + (utf8 ? escape(*utf8) : '#' + hex(value.whole, false));
}

}  // namespace

std::string hex(BytesView octets, bool upper) {
    const char* digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
    std::string out;
    out.reserve(octets.size() * 2);
    for (auto octet : octets) {
        out += digits[octet >> 4];
        out += digits[octet & 15];
    }
    return out;
}

std::string fold_ascii(std::string_view value) {
    std::string out(value);
    for (char& c : out)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return out;
}

std::optional<std::string> to_utf8(const Element& value) {
    switch (value.tag) {
        case tag::utf8_string:
        case tag::printable_string:
        case tag::ia5_string:
        case tag::visible_string:
            if (!is_utf8(text(value.content))) return std::nullopt;
            return std::string(text(value.content));
        case tag::teletex_string:
            return from_wide(value.content, 1);  // read as Latin-1, as everybody does
        case tag::bmp_string:
            return from_wide(value.content, 2);
        case tag::universal_string:
            return from_wide(value.content, 4);
        default:
            return std::nullopt;
    }
}

bool Name::add_rdn(BytesView attributes) {
    Reader set(attributes);
    std::vector<std::string> normalised;
    std::string rdn_text;
    while (set.more()) {
        Reader pair(set.expect(tag::sequence));
        const auto type = pair.expect(tag::oid);
        const auto value = pair.any();
        if (!pair.finished() || !is_oid(type) || normalised.size() == attribute_limit) return false;
        const auto utf8 = to_utf8(value);
        const auto oid_text = x509::text(type.content);
        if (oid_text == oid::common_name && utf8) common_names_.push_back(*utf8);
        if (oid_text == oid::email_address && utf8) emails_.push_back(*utf8);
        std::string entry;
        append_counted(entry, oid_text);
        append_counted(entry, utf8 ? normalise(*utf8) : '\xff' + std::string(x509::text(value.whole)));
        normalised.push_back(std::move(entry));
        rdn_text += (rdn_text.empty() ? "" : "+") + attribute_text(oid_text, value, utf8);
    }
    if (set.failed() || normalised.empty() || rdns_.size() == rdn_limit) return false;
    std::ranges::sort(normalised);
    std::string rdn;
    for (const auto& entry : normalised) append_counted(rdn, entry);
    append_counted(key_, rdn);
    rdns_.push_back(std::move(rdn));
    text_ = text_.empty() ? rdn_text : rdn_text + ", " + text_;
    return true;
}

std::optional<Name> Name::read(const Element& element) {
    Name name;
    Reader rdns(element);
    while (rdns.more())
        if (!name.add_rdn(rdns.expect(tag::set).content)) return std::nullopt;
    if (rdns.failed()) return std::nullopt;
    return name;
}

std::optional<Name> Name::with_rdn(BytesView attributes) const {
    Name name = *this;
    if (!name.add_rdn(attributes)) return std::nullopt;
    return name;
}

bool Name::within(const Name& base) const {
    return base.rdns_.size() <= rdns_.size() && std::equal(base.rdns_.begin(), base.rdns_.end(), rdns_.begin());
}

}  // namespace postern::x509
