#include <sys/stat.h>

#include <config/loader.hpp>
#include <fstream>

namespace postern::config {

// A SHA-256 may be typed as tools print it: upper case, with colons.
void Loader::certificate_of(const SettingsNode& node, std::string& certificate) {
    text(node, "certificate", certificate);
    std::string digits;
    for (const char c : certificate)
        if (c != ':') digits += static_cast<char>(c >= 'A' && c <= 'F' ? c + 32 : c);
    if (is_sha256(digits)) certificate = digits;
}

// What EHLO offers. A key that needs another one which is off is a fault where it was written, and follows it else.
void Loader::extensions(const SettingsNode& node, ReceiveConnector& connector) {
    const std::pair<const char*, bool&> keys[] = {{"size", connector.size},
                                                  {"pipelining", connector.pipelining},
                                                  {"eight_bit_mime", connector.eight_bit_mime},
                                                  {"chunking", connector.chunking},
                                                  {"binary_mime", connector.binary_mime},
                                                  {"dsn", connector.dsn},
                                                  {"smtputf8", connector.smtputf8},
                                                  {"enhanced_status_codes", connector.enhanced_status_codes}};
    for (const auto& [key, value] : keys) take(node, key, value, parse_yes_no, "yes or no");
    const auto needs = [&](const char* key, bool& value, const char* other, bool there) {
        if (!value || there) return;
        if (const auto* given = node.find(key)) problem(*given, std::string("needs ") + other + " yes");
        value = false;
    };
    needs("binary_mime", connector.binary_mime, "chunking", connector.chunking);
    needs("binary_mime", connector.binary_mime, "eight_bit_mime", connector.eight_bit_mime);
    needs("smtputf8", connector.smtputf8, "eight_bit_mime", connector.eight_bit_mime);
}

void Loader::receive_connector(const SettingsNode& node) {
    check_keys(node, "receive_connector");
    ReceiveConnector connector;
    connector.name = node.value;
    connector.place = {node.file, node.line};
    if (node.value.empty()) problem(node, "needs a name: receive_connector NAME {");
    if (const auto* bindings = node.find("bindings"))
        for (const auto& one : bindings->children) {
            if (auto endpoint = parse_endpoint(one.key)) connector.bindings.push_back(*endpoint);
            else problem(one, "is no address:port");
        }
    if (connector.bindings.empty()) problem(node, "needs bindings");
    ranges(node, "remote_ranges", connector.remote_ranges);
    if (connector.remote_ranges.empty()) problem(node, "needs remote_ranges (0.0.0.0/0 for everybody)");
    for (const auto& group : node.list("permission_groups")) {
        if (group != "anonymous" && group != "partners" && group != "servers")
            problem(node, "\"" + group + "\" is no permission group: anonymous, partners, servers" +
                              nearest(group, {"anonymous", "partners", "servers"}));
        connector.permission_groups.insert(group);
    }
    for (const auto& mechanism : node.list("auth_mechanism")) {
        if (mechanism != "tls") problem(node, "\"" + mechanism + "\" is no auth_mechanism: tls");
        connector.auth_tls |= mechanism == "tls";
    }
    take(node, "domain_secure_enabled", connector.domain_secure_enabled, parse_yes_no, "yes or no");
    connector.fqdn = node.text("fqdn", settings_.fqdn);
    certificate_of(node, connector.certificate);
    std::size_t chosen = 0;
    choice(node, "protocol_logging_level", {"none", "verbose", "decisions"}, chosen);
    connector.protocol_logging = static_cast<ProtocolLogging>(chosen);
    chosen = 1;
    choice(node, "bind_header_from", {"off", "tag", "reject"}, chosen);
    connector.bind_header_from = static_cast<HeaderFromBinding>(chosen);
    chosen = 0;
    choice(node, "own_senders", {"reject", "tag", "allow"}, chosen);
    connector.own_senders = static_cast<OwnSenders>(chosen);
    take(node, "message_size", connector.limits.message_size, parse_size, "a size such as 36M");
    take(node, "recipients", connector.limits.recipients, parse_number, "a number");
    if (connector.limits.recipients < 100)
        problem(*node.find("recipients"), "is below 100, which every sender may count on (RFC 5321 4.5.3.1.8)");
    extensions(node, connector);
    take(node, "errors", connector.limits.errors, parse_number, "a number");
    take(node, "connections", connector.connections, parse_count, "a number above 0");
    take(node, "connections_per_source", connector.connections_per_source, parse_count, "a number above 0");
    take(node, "messages_per_source", connector.messages_per_source, parse_number, "a number");
    take(node, "tarpit", connector.tarpit, parse_duration, "a duration such as 5s");
    take(node, "inactivity", connector.inactivity, parse_duration, "a duration such as 5min");
    take(node, "inactivity_under_load", connector.inactivity_under_load, parse_duration, "a duration such as 1min");
    take(node, "connection_time", connector.connection_time, parse_duration, "a duration such as 30min");
    settings_.receive_connectors.push_back(std::move(connector));
}

// RFC 4954 14: a password goes to nobody who has not proven his name inside TLS.
void Loader::credentials(const SettingsNode& node, SendConnector& connector) {
    const auto* user = node.find("user");
    const auto* file = node.find("password_file");
    if (!user && !file) return;
    if (!user || !file) return problem(user ? *user : *file, "user and password_file belong together");
    if (!connector.tls_domain)
        problem(*user, "credentials need smart_host and tls_domain: they are sent only to a host that proved its name");
    readable(*file, file->value);
    struct stat about {};
    if (::stat(file->value.c_str(), &about) == 0 && (about.st_mode & 077u) != 0)
        problem(*file, "the file " + file->value + " is readable by others: chmod 600 " + file->value);
    std::ifstream lines(file->value);
    smtp::Credentials given{user->value, {}};
    std::getline(lines, given.password);
    if (given.password.ends_with('\r')) given.password.pop_back();
    if (given.password.empty()) problem(*file, "the file " + file->value + " holds no password");
    connector.credentials = std::move(given);
}

void Loader::send_connector(const SettingsNode& node) {
    check_keys(node, "send_connector");
    SendConnector connector;
    connector.name = node.value;
    if (node.value.empty()) problem(node, "needs a name: send_connector NAME {");
    if (const auto* spaces = node.find("address_spaces"))
        for (const auto& one : spaces->children) {
            AddressSpace space{one.key, 1};
            if (one.key != "*") space.pattern = entry(one, one.key);
            if (!one.value.empty()) {
                const auto cost = parse_number(one.value);
                if (!cost) problem(one, "the cost \"" + one.value + "\" is not a number");
                else space.cost = static_cast<unsigned>(*cost);
            }
            connector.address_spaces.push_back(std::move(space));
        }
    std::size_t chosen = 0;
    choice(node, "routing", {"dns"}, chosen);
    if (const auto* host = node.find("smart_host")) {
        connector.smart_host = host->value;
        const bool address = parse_range(host->value) && host->value.find('/') == std::string::npos;
        if (!address && !mail::canonical_domain(host->value))
            problem(*host, "\"" + host->value + "\" is no host name or address" +
                               (host->value.find(':') == std::string::npos ? "" : "; its port is a key of its own"));
    }
    take(node, "port", connector.port, parse_port, "a port number, 1 to 65535");
    chosen = 0;
    choice(node, "protocol", {"smtp", "lmtp"}, chosen);
    connector.lmtp = chosen == 1;
    connector.fqdn = node.text("fqdn", settings_.fqdn);
    certificate_of(node, connector.certificate);
    take(node, "domain_secure_enabled", connector.domain_secure_enabled, parse_yes_no, "yes or no");
    take(node, "internal", connector.internal, parse_yes_no, "yes or no");
    if (const auto* name = node.find("tls_domain")) connector.tls_domain = entry(*name, name->value);
    if (const auto* source = node.find("source_address")) {
        const auto address = parse_range(source->value);
        if (!address || source->value.find('/') != std::string::npos) problem(*source, "is no address");
        connector.source_address = source->value;
    }
    for (const auto* key : {"protocol", "tls_domain"})
        if (const auto* needs = node.find(key); needs && needs->value != "smtp" && !connector.smart_host)
            problem(*needs, "needs smart_host");
    credentials(node, connector);
    take(node, "reply_time", connector.reply_time, parse_duration, "a duration such as 5min");
    if (connector.reply_time.count() == 0) problem(*node.find("reply_time"), "must be longer");
    ranges(node, "allow_destinations", connector.allow_destinations);
    chosen = 0;
    choice(node, "protocol_logging_level", {"none", "verbose", "decisions"}, chosen);
    connector.protocol_logging = static_cast<ProtocolLogging>(chosen);
    take(node, "concurrency", connector.concurrency, parse_count, "a number above 0");
    take(node, "keep_idle", connector.keep_idle, parse_duration, "a duration such as 10s");
    take(node, "connection_life", connector.connection_life, parse_duration, "a duration such as 10min");
    take(node, "rate", connector.rate, parse_number, "a number");
    if (const auto* retry = node.find("retry")) {
        check_keys(*retry, "retry");
        take(*retry, "quick", connector.retry.quick, parse_duration, "a duration such as 60s");
        take(*retry, "quick_tries", connector.retry.quick_tries, parse_number, "a number");
        take(*retry, "medium", connector.retry.medium, parse_duration, "a duration such as 10min");
        take(*retry, "medium_tries", connector.retry.medium_tries, parse_number, "a number");
        take(*retry, "slow", connector.retry.slow, parse_duration, "a duration such as 30min");
        take(*retry, "delay_notice", connector.retry.delay_notice, parse_duration, "a duration such as 4h");
        take(*retry, "expiry", connector.retry.expiry, parse_duration, "a duration such as 5d");
    }
    settings_.send_connectors.push_back(std::move(connector));
}

void Loader::recipients(const SettingsNode& node, AcceptedDomain& domain) {
    if (node.value == "any" && node.children.empty()) {
        domain.recipients = RecipientsFrom::any;
        return warn(node, "any: mail for unknown recipients is accepted and must be bounced later");
    }
    check_keys(node, "recipients");
    const auto* file = node.find("file");
    if (!file) return problem(node, "wants a block with file PATH, or the value any");
    readable(*file, file->value);
    std::ifstream lines(file->value);
    for (std::string line; std::getline(lines, line);) {
        line = line.substr(0, line.find('#'));
        while (!line.empty() && (line.back() == ' ' || line.back() == '\r' || line.back() == '\t')) line.pop_back();
        if (const auto at = line.find('@'); at != std::string::npos) line.resize(at);
        for (auto& c : line)
            if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
        if (!line.empty()) domain.known.insert(line);
    }
}

void Loader::accepted_domain(const SettingsNode& node) {
    check_keys(node, "accepted_domain");
    AcceptedDomain domain;
    domain.domain = entry(node, node.value);
    if (domain.domain.empty()) return;
    domain.deliver = node.text("deliver");
    if (domain.deliver.empty()) problem(node, "needs deliver: maildir, or a send connector's name");
    std::size_t late_reject = 0;
    choice(node, "late_reject", {"hold", "bounce"}, late_reject);
    domain.late_reject_holds = late_reject == 0;
    if (const auto* known = node.find("recipients")) recipients(*known, domain);
    else problem(node, "needs recipients: how its recipients are known has no default");
    if (settings_.accepted_domains.contains(domain.domain)) problem(node, "a second block for " + domain.domain);
    settings_.accepted_domains.insert_or_assign(domain.domain, std::move(domain));
}

}  // namespace postern::config
