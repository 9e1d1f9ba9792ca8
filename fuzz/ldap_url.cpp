// An LDAP URL out of a certificate: what is let through asks one entry for its lists and nothing else.
#include <crl/ldap_url.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace postern;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    (void)crl::LdapServer::parse(text);
    const auto url = crl::LdapUrl::parse(text);
    if (!url) return 0;
    const bool list = crl::same_attribute(url->attribute, "certificateRevocationList") ||
                      crl::same_attribute(url->attribute, "authorityRevocationList") ||
                      crl::same_attribute(url->attribute, "deltaRevocationList");
    const bool simple = url->filter.substr(0, 13) == "(objectClass=" && url->filter.back() == ')' &&
                        url->filter.find('(', 1) == std::string::npos;
    const bool whole = url->dn.find('\0') == std::string::npos && !url->dn.empty();
    if (!list || !simple || !whole || url->server.port == 0) __builtin_trap();
    if (!url->server.host.empty() && !is_host(url->server.host)) __builtin_trap();
    return 0;
}
