// Takes an LDAP URL apart at its question marks; see ldap_url.hpp.
#include <charconv>
#include <crl/ldap_url.hpp>

namespace postern::crl {
namespace {

constexpr std::size_t longest_url = 2048;
constexpr std::array attributes{"certificaterevocationlist", "authorityrevocationlist", "deltarevocationlist"};

std::string lower(std::string_view text) {
    std::string folded(text);
    for (char& c : folded)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return folded;
}

// Without NUL: it would end the text in libldap.
std::optional<std::string> percent_decoded(std::string_view text) {
    std::string decoded;
    for (std::size_t i = 0; i < text.size(); ++i) {
        unsigned char value = static_cast<unsigned char>(text[i]);
        if (text[i] == '%') {
            const auto digits = text.substr(i + 1, 2);
            const auto end = digits.data() + digits.size();
            if (digits.size() < 2 || std::from_chars(digits.data(), end, value, 16).ptr != end) return std::nullopt;
            i += 2;
        }
        if (value == 0) return std::nullopt;
        decoded += static_cast<char>(value);
    }
    return decoded;
}

std::string_view base_name(std::string_view attribute) { return attribute.substr(0, attribute.find(';')); }

bool is_list_attribute(std::string_view attribute) {
    const auto name = lower(attribute);
    const auto options = name.substr(base_name(name).size());
    return (options.empty() || options == ";binary") &&
           std::find(attributes.begin(), attributes.end(), base_name(name)) != attributes.end();
}

// `objectClass=NAME` alone, with or without parentheses: what CAs write. libldap's filters nest; a stranger's do not.
std::optional<std::string> simple_filter(std::string_view text) {
    if (text.empty()) return "(objectClass=*)";
    if (text.front() == '(' && text.back() == ')') text = text.substr(1, text.size() - 2);
    const auto equals = text.find('=');
    if (equals == std::string_view::npos || lower(text.substr(0, equals)) != "objectclass") return std::nullopt;
    const auto value = text.substr(equals + 1);
    const auto fits = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
    };
    if (value != "*" && (value.empty() || !std::all_of(value.begin(), value.end(), fits))) return std::nullopt;
    return "(objectClass=" + std::string(value) + ")";
}

bool read_authority(std::string_view text, LdapServer& server) {
    server.port = server.own_port();
    if (text.empty()) return true;
    auto host = text;
    const auto colon = text.rfind(':');
    if (colon != std::string_view::npos && text.find(']', colon) == std::string_view::npos) {
        const auto digits = text.substr(colon + 1);
        const auto end = digits.data() + digits.size();
        const auto read = std::from_chars(digits.data(), end, server.port);
        if (read.ec != std::errc() || read.ptr != end || server.port == 0) return false;
        host = text.substr(0, colon);
    }
    const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
    server.host = canonical_host(host);
    return is_host(server.host) && (bracketed || server.host.find(':') == std::string::npos);
}

// Its scheme goes from the front of the text.
bool take_scheme(std::string_view& text, LdapServer& server) {
    const auto end = text.find("://");
    if (end == std::string_view::npos) return false;
    const auto scheme = lower(text.substr(0, end));
    server.tls = scheme == "ldaps";
    text.remove_prefix(end + 3);
    return server.tls || scheme == "ldap";
}

// Up to the next `?`, which goes with it.
std::string_view take_part(std::string_view& text) {
    const auto end = std::min(text.find('?'), text.size());
    const auto part = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return part;
}

bool has_critical(std::string_view extensions) {
    return extensions.starts_with('!') || extensions.find(",!") != std::string_view::npos;
}

// Everything behind the host; empty, or why it is refused.
std::string read_question(std::string_view rest, LdapUrl& url) {
    if (rest.find('#') != std::string_view::npos) return "it holds a fragment";
    const auto dn = percent_decoded(take_part(rest));
    const auto attribute = percent_decoded(take_part(rest));
    const auto scope = lower(take_part(rest));
    const auto filter = percent_decoded(take_part(rest));
    const auto extensions = percent_decoded(take_part(rest));
    if (!dn || !attribute || !filter || !extensions) return "a `%` in it stands for no character";
    if (!rest.empty()) return "it has more parts than an LDAP URL";
    if (dn->empty()) return "it names no entry";
    if (!is_list_attribute(*attribute)) return "it does not ask for one attribute that holds revocation lists";
    if (!scope.empty() && scope != "base") return "its scope is not the entry alone";
    const auto simple = simple_filter(*filter);
    if (!simple) return "its filter asks for more than an object class";
    if (has_critical(*extensions)) return "it has an extension marked critical";
    url.dn = *dn;
    url.attribute = *attribute;
    url.filter = *simple;
    return {};
}

}  // namespace

std::optional<LdapServer> LdapServer::parse(std::string_view text) {
    LdapServer server;
    if (text.find("://") != std::string_view::npos && !take_scheme(text, server)) return std::nullopt;
    if (text.ends_with('/')) text.remove_suffix(1);
    if (!read_authority(text, server) || server.host.empty()) return std::nullopt;
    return server;
}

Outcome<LdapUrl> LdapUrl::parse(std::string_view text) {
    const auto refuse = [&](const std::string& why) {
        return Failure{"crl-unreachable", "`" + printable(text) + "` is not fetched: " + why};
    };
    LdapUrl url;
    auto rest = text;
    if (text.size() > longest_url) return refuse("it is longer than 2048 octets");
    if (!take_scheme(rest, url.server)) return refuse("it is no ldap or ldaps URL");
    const auto slash = rest.find_first_of("/?");
    const auto authority = rest.substr(0, slash);
    if (authority.find('@') != std::string_view::npos) return refuse("it holds credentials");
    if (!read_authority(authority, url.server)) return refuse("its host is no host name");
    if (slash == std::string_view::npos || rest[slash] != '/') return refuse("it names no entry");
    if (const auto why = read_question(rest.substr(slash + 1), url); !why.empty()) return refuse(why);
    url.text = text;
    return url;
}

bool same_attribute(std::string_view one, std::string_view other) {
    return lower(base_name(one)) == lower(base_name(other));
}

}  // namespace postern::crl
