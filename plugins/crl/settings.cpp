#include <crl/settings.hpp>
#include <filesystem>
#include <postern/units.hpp>

namespace postern::crl {
namespace {

std::optional<std::uint16_t> port(std::string_view text) {
    const auto number = parse_with_unit(text, {{"", 1}});
    if (!number || *number == 0 || *number > 65535) return std::nullopt;
    return static_cast<std::uint16_t>(*number);
}

}  // namespace

std::vector<KeySpec> keys() {
    return {
        {"crl_hosts", KeyKind::list, "", "Hosts that may be fetched from although they are ours or private."},
        {"crl_ports", KeyKind::list, "", "Ports that URLs of certificates may name; none: the scheme's own."},
        {"ldap_hosts", KeyKind::list, "",
         "Directories for URLs without a host (ldap:///...): HOST[:PORT] or ldaps://HOST[:PORT], tried in this order."},
        {"ldap_roots", KeyKind::list, "", "PEM files of CAs that ldaps servers are trusted by, beside the system's."},
        {"allow_private", KeyKind::yes_no, "no", "Fetch from loopback and private addresses too: for a lab."},
        {"timeout", KeyKind::duration, "15s", "For one fetch with all its redirects."},
        {"backoff", KeyKind::duration, "30s",
         "Pause after a URL answered or failed; doubles with each failure up to 30 minutes."},
        {"files", KeyKind::list, "", "Files or folders with lists, PEM or DER, read at start and reload."},
        {"cache_size", KeyKind::size, "256M", "Lists kept in memory and on disk; the least used go first."},
    };
}

std::vector<SettingsProblem> check(const SettingsNode& node) {
    std::vector<SettingsProblem> problems;
    for (const auto& one : node.children)
        for (const auto& entry : one.children) {
            if (one.key == "crl_ports" && !port(entry.key))
                problems.push_back({entry.file, entry.line, one.key, "\"" + entry.key + "\" is no port (1 to 65535)"});
            if (one.key == "ldap_hosts" && !LdapServer::parse(entry.key))
                problems.push_back({entry.file, entry.line, one.key,
                                    "\"" + entry.key + "\" is none of HOST, HOST:PORT and ldaps://HOST[:PORT]"});
            std::error_code error;
            if ((one.key == "files" || one.key == "ldap_roots") && !std::filesystem::exists(entry.key, error))
                problems.push_back({entry.file, entry.line, one.key, entry.key + " does not exist"});
        }
    return problems;
}

Settings read(const SettingsNode& node) {
    Settings settings;
    settings.hosts = node.list("crl_hosts");
    for (const auto& one : node.list("crl_ports"))
        if (const auto number = port(one)) settings.ports.push_back(*number);
    settings.allow_private = node.text("allow_private", "no") == "yes";
    if (const auto time = parse_duration(node.text("timeout", "15s"))) settings.timeout = *time;
    if (const auto time = parse_duration(node.text("backoff", "30s"))) settings.backoff = *time;
    settings.files = node.list("files");
    for (const auto& one : node.list("ldap_hosts"))
        if (auto server = LdapServer::parse(one)) settings.ldap.servers.push_back(std::move(*server));
    settings.ldap.roots = node.list("ldap_roots");
    if (const auto octets = parse_size(node.text("cache_size", "256M"))) settings.cache_size = *octets;
    return settings;
}

}  // namespace postern::crl
