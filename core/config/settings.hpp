// One generation of the configuration, typed, checked and immutable: what the INFO files said. Loaded by load.hpp,
// whole or not at all; shared by all workers. Keys and defaults stand in one table (keys.hpp), from which
// docs/configuration.md is generated.
#pragma once

#include <chrono>
#include <cstdint>
#include <mail/address.hpp>
#include <map>
#include <memory>
#include <optional>
#include <policy/partner.hpp>
#include <policy/secure_list.hpp>
#include <postern/host.hpp>
#include <set>
#include <smtp/client_session.hpp>
#include <smtp/server_session.hpp>
#include <string>
#include <vector>

namespace postern::config {

struct Endpoint {
    std::string address;  // literal, IPv6 without brackets
    std::uint16_t port = 25;
    bool operator==(const Endpoint&) const = default;
};

// An address range in CIDR form, family and prefix checked at load.
struct Range {
    std::vector<std::uint8_t> network;  // 4 or 16 octets
    unsigned prefix = 0;
    bool contains(std::string_view address_literal) const;
};

// Where something stands, for problems that are found after the file was read.
struct Place {
    std::string file;
    std::uint32_t line = 0;
};

// A connector's `certificate` is a block's name, or the SHA-256 of one in the store (64 hex digits, lower case), or
// empty: the best that fits its fqdn.
bool is_sha256(std::string_view certificate);

struct Certificate {
    std::string name, chain_file, key_file;
    Place place;
};
struct Roots {
    std::string name;
    std::vector<std::string> files;
};  // the name "system" is built in

struct PartnerTrust {
    std::vector<std::string> roots;  // names of Roots, or "system"; empty = everybody's
    std::vector<std::string> intermediate_files;
};

struct TrustedServer {
    std::string name;
    std::vector<std::string> sha256;  // lower-case hex of certificate or key
    std::vector<std::string> hosts;   // outbound: host names or addresses that must present it
    bool relay = false, marks = false;
};

enum class HeaderFromBinding : std::uint8_t { off, tag, reject };
enum class OwnSenders : std::uint8_t { reject, tag, allow };
enum class ProtocolLogging : std::uint8_t { none, verbose, decisions };

struct ReceiveConnector {
    std::string name;
    std::vector<Endpoint> bindings;
    std::vector<Range> remote_ranges;
    std::set<std::string> permission_groups;  // anonymous, partners, servers
    bool auth_tls = false;                    // auth_mechanism { tls }
    bool domain_secure_enabled = false;
    std::string fqdn, certificate;  // see is_sha256
    ProtocolLogging protocol_logging = ProtocolLogging::none;
    HeaderFromBinding bind_header_from = HeaderFromBinding::tag;
    OwnSenders own_senders = OwnSenders::reject;
    bool submission = false;
    std::vector<Range> bare_newline_normalize;
    bool size = true, pipelining = true, eight_bit_mime = true, enhanced_status_codes = true;
    bool chunking = true, dsn = true, smtputf8 = true, binary_mime = false;
    smtp::ServerLimits limits;
    std::size_t connections = 5000, connections_per_source = 20;
    std::chrono::seconds inactivity{300}, inactivity_under_load{60}, connection_time{1800};
    std::chrono::seconds tarpit{5};
    std::size_t messages_per_source = 0;  // a minute; 0: no limit
    Place place;
};

struct Retry {
    std::chrono::seconds quick{60}, medium{600}, slow{1800};
    unsigned quick_tries = 4, medium_tries = 6;
    std::chrono::seconds delay_notice{4 * 3600}, expiry{5 * 24 * 3600};
};

struct AddressSpace {
    std::string pattern;
    unsigned cost = 1;
};  // "*", "contoso.com", ".contoso.com"

struct SendConnector {
    std::string name;
    std::vector<AddressSpace> address_spaces;
    std::optional<std::string> smart_host;  // host name, or literal; empty = routing dns
    std::uint16_t port = 25;
    std::string fqdn, certificate;
    bool domain_secure_enabled = false;
    bool lmtp = false;                      // protocol lmtp
    std::optional<std::string> tls_domain;  // the name that the smart host must prove
    bool internal = false;                  // `internal yes`: marks stay on the way out
    std::vector<Range> allow_destinations;
    std::optional<std::string> source_address;
    std::optional<smtp::Credentials> credentials;  // for the smart host, inside TLS that proved tls_domain
    std::chrono::seconds reply_time{300};
    ProtocolLogging protocol_logging = ProtocolLogging::none;
    Retry retry;
    std::size_t concurrency = 10;  // connections a destination
    std::chrono::seconds keep_idle{10};
    std::chrono::seconds connection_life{600};
    std::size_t rate = 0;  // messages a minute and destination; 0: no limit
};

enum class RecipientsFrom : std::uint8_t { file, any };

struct AcceptedDomain {
    std::string domain;  // canonical
    RecipientsFrom recipients = RecipientsFrom::file;
    std::set<std::string, std::less<>> known;  // local parts as listed, lower case; postmaster is always known
    bool late_reject_holds = true;             // what is refused behind us is held, not bounced to whoever
    std::string deliver;                       // "maildir" (a Delivery provider) or a send connector's name
};

struct PluginEntry {
    std::string name;
    SettingsNode settings;
};

enum class Dnssec : std::uint8_t { off, log, on };
struct Resolver {
    std::vector<Endpoint> forward;                       // empty: the system's resolvers
    std::vector<std::pair<std::string, Endpoint>> stub;  // a zone, and who has it
    Dnssec dnssec = Dnssec::log;
    std::string trust_anchor = "/usr/share/dns/root.key";  // Debian's dns-root-data
    bool trust_anchor_named = false;                       // in the file, not by default
    std::vector<std::string> insecure;                     // zones that are not validated
    bool operator==(const Resolver&) const = default;
};

struct Settings {
    std::string file;                          // postern.conf's path
    std::shared_ptr<const SettingsNode> tree;  // what the files said, for those who ask what is in force
    std::string fqdn;
    std::string spool = "/var/spool/postern", state = "/var/lib/postern", control_socket = "/run/postern/control";
    std::string control_look_group, control_change_group;
    std::string spool_format = "log";
    std::string log_file;                 // empty: none
    std::string postmaster_notify, user;  // user: whom to become after binding; empty = stay
    std::string authserv_id, method = "x-domain-secured";
    unsigned workers = 0;  // 0: one a core
    std::string plugin_folder = "/usr/lib/postern/plugins";
    std::vector<PluginEntry> plugins;
    std::string scripts_folder;
    Place scripts_place;
    std::vector<std::string> script_http_hosts;  // "host" or "host:port", lower case
    Resolver resolver;
    Place resolver_place;  // where its trust anchor is named, or dnssec, or nothing of it
    policy::SecureList send_list, receive_list;
    std::vector<Certificate> certificates;
    std::vector<Roots> roots;
    std::vector<std::string> intermediate_files;
    std::map<std::string, Place> trust_files;  // of roots and intermediates, everybody's and partners'
    std::map<std::string, policy::Partner, std::less<>> partners;    // by entry
    std::map<std::string, PartnerTrust, std::less<>> partner_trust;  // by entry
    std::vector<TrustedServer> trusted_servers;
    std::vector<ReceiveConnector> receive_connectors;
    std::vector<SendConnector> send_connectors;
    std::map<std::string, AcceptedDomain, std::less<>> accepted_domains;
    std::chrono::seconds drain_time{30};

    // The terms for a listed entry: its partner block, or the defaults.
    const policy::Partner& partner(std::string_view entry) const;
    // By longest address space, then cost; the partner's `via` first. Null where nothing fits.
    const SendConnector* send_connector_for(std::string_view domain) const;
    const ReceiveConnector* receive_connector(std::string_view name) const;
    std::vector<std::string> own_domains() const;  // fqdns and accepted domains
};

struct ConfigProblem {
    std::string file;
    std::uint32_t line = 0;
    std::string key, problem;  // problem ends with "(did you mean ...)" where there is a suggestion
    bool warning = false;
};
std::string to_text(const ConfigProblem& problem);  // file:line: key: problem

struct Loaded {
    std::shared_ptr<const Settings> settings;  // null when any problem is not a warning
    std::vector<ConfigProblem> problems;
    // Also of a file with faults, so that the plugins' own can be told beside them.
    std::string plugin_folder;
    std::vector<PluginEntry> plugins;
};
// Reads the file, its #include lines and conf.d/*.conf beside it; reports every problem at once. Plugins' own blocks
// are checked separately, against the keys that they declare (check_plugin_settings).
Loaded load(const std::string& file);
std::vector<ConfigProblem> check_plugin_settings(const std::string& plugin, const SettingsNode& block,
                                                 const std::vector<KeySpec>& keys);

}  // namespace postern::config
