#include <algorithm>
#include <config/keys.hpp>
#include <map>
#include <numeric>

namespace postern::config {

namespace {
using enum KeyKind;

constexpr Key table[] = {
    {"", "fqdn", text, "", "Our name: greeting of connectors without their own, notices, authserv-id."},
    {"", "spool", path, "/var/spool/postern", "Folder of accepted mail that waits.", false, true},
    {"", "spool_format", text, "log", "log, or files: one file a message, slow, for comparison.", false, true},
    {"", "log_file", path, "",
     "Log lines go to this file, too: 50 MB and five older ones. `postern trace` finds in it what became of a message.",
     false, true},
    {"", "state", path, "/var/lib/postern", "Folder in which plugins keep what survives a restart.", false, true},
    {"", "control_socket", path, "/run/postern/control", "Unix socket on which `postern` reaches the daemon.", false,
     true},
    {"", "control_look_group", text, "",
     "Group whose members may look by it: status, queue list and show, trace. Without it and the next one the socket "
     "is "
     "for its owner and group alone.",
     false, true},
    {"", "control_change_group", text, "", "Group whose members may do everything by it.", false, true},
    {"", "postmaster_notify", text, "", "Address that hears of alarms."},
    {"", "user", text, "", "Whom to become after the start as root; nobody else may read keys, spool and state then.",
     false, true},
    {"", "authserv_id", text, "", "Name in our Authentication-Results; the fqdn where it is left out."},
    {"", "workers", number, "0", "Event loops; 0 = one a core.", false, true},
    {"", "drain_time", duration, "30s", "How long SIGTERM waits for open sessions."},
    {"", "plugin_folder", path, "/usr/lib/postern/plugins", "Where NAME.so of each plugin lies."},
    {"", "plugins", block, "", "The plugins in use, each with its own settings."},
    {"", "scripts", block, "", "Lua policies."},
    {"scripts", "folder", path, "", "Folder of *.lua, partners/*.lua, modules/*.lua and data/*."},
    {"scripts", "http_hosts", list, "",
     "Hosts that scripts may ask by postern.http: HOST, or HOST:PORT for another port."},
    {"", "resolver", block, "", "DNS.", false, true},
    {"resolver", "forward", list, "", "Resolvers to ask, address:port; the system's where left out."},
    {"resolver", "stub", list, "",
     "Zones with the server that has each: `corp.contoso.com 10.0.0.53:53`; asked first."},
    {"resolver", "dnssec", text, "log",
     "What becomes of a DNS answer that fails validation. off: nothing is validated; log: a warning tells of it, and "
     "it "
     "is used; on: it is not used, its mail waits (4.4.3). Unsigned zones are used by all three."},
    {"resolver", "trust_anchor", path, "/usr/share/dns/root.key",
     "File of DS or DNSKEY records that validation begins from; Debian's package dns-root-data has the root's. Without "
     "it `log` validates nothing and warns, and `on` is refused."},
    {"resolver", "insecure", list, "",
     "Zones that are not validated (RFC 7646): those of your own, with all below them, that the public tree denies."},
    {"", "tls_send_domain_secure_list", list, "", "Domains to which mail goes only over mutual TLS."},
    {"", "tls_receive_domain_secure_list", list, "", "Domains from which mail comes only over mutual TLS."},
    {"", "intermediates", list, "", "Files of intermediate certificates for every partner."},
    {"", "certificate", block, "", "A chain and its key under a name.", true},
    {"certificate", "chain", path, "", "PEM, our certificate first."},
    {"certificate", "key", path, "", "PEM, readable by its owner alone."},
    {"", "roots", block, "", "Root certificates under a name.", true},
    {"roots", "file", path, "", "PEM or DER; may stand more than once.", true},
    {"", "partner", block, "", "What differs for one listed domain.", true},
    {"partner", "roots", list, "", "Names of roots (or system) that replace everybody's for this partner."},
    {"partner", "intermediates", list, "", "Files of intermediate certificates for this partner."},
    {"partner", "revocation", text, "hard", "hard, soft or off; only hard leaves mail domain-secured."},
    {"partner", "revocation_source", text, "except-short-lived", "always, if-present or except-short-lived."},
    {"partner", "crl_grace", duration, "0s", "How long past nextUpdate a list still counts."},
    {"partner", "name_rule", text, "domain-security", "domain-security or exact; `names` gives a list instead."},
    {"partner", "names", list, "", "Names of which the certificate must hold one."},
    {"partner", "cn_fallback", yes_no, "no", "The subject CN counts where there is no subjectAltName."},
    {"partner", "speaks_for", text, "", "base: a certificate for the domain speaks for all below it."},
    {"partner", "purpose", text, "connecting", "client: only clientAuth will do."},
    {"partner", "aia", yes_no, "no", "Fetch the intermediates that a server we connect to failed to send."},
    {"partner", "exception", block, "", "What passes although it should not; ends by itself.", true},
    {"exception", "allow", text, "", "no-tls, any-certificate, any-name or no-revocation."},
    {"exception", "until", text, "", "Last day, YYYY-MM-DD (UTC)."},
    {"exception", "reason", text, "", "Why; logged at each use."},
    {"partner", "report_only", text, "", "until YYYY-MM-DD: judged, logged, counted, passed."},
    {"partner", "enforcement", text, "", "script: the partner's Lua script decides."},
    {"partner", "mutual", yes_no, "yes", "no: a server that does not ask for our certificate is accepted."},
    {"partner", "starttls_required", text, "reject", "reject (530) or defer (450)."},
    {"partner", "name_mismatch", text, "reject", "reject (550) or defer (454)."},
    {"partner", "revoked", text, "reject", "reject (550) or defer (454)."},
    {"partner", "via", text, "", "Send connector with a smart host for this partner."},
    {"", "trusted_servers", block, "", "Our own servers, known by certificate."},
    {"trusted_server", "sha256", text, "", "Certificate or key, hex.", true},
    {"trusted_server", "hosts", list, "", "Outbound: hosts that must present it."},
    {"trusted_server", "roles", list, "", "relay, marks."},
    {"", "receive_connector", block, "", "A named listener.", true},
    {"receive_connector", "bindings", list, "", "address:port."},
    {"receive_connector", "remote_ranges", list, "", "Addresses that it serves; the most specific range wins."},
    {"receive_connector", "permission_groups", list, "", "anonymous, partners, servers."},
    {"receive_connector", "auth_mechanism", list, "", "tls."},
    {"receive_connector", "domain_secure_enabled", yes_no, "no", "Ask clients for their certificate."},
    {"receive_connector", "fqdn", text, "", "Name in greeting and EHLO reply."},
    {"receive_connector", "certificate", text, "",
     "Name of a certificate block, or the SHA-256 of one in the store; left out, the best one in the store for the "
     "fqdn."},
    {"receive_connector", "protocol_logging_level", text, "none", "none, verbose or decisions."},
    {"receive_connector", "bind_header_from", text, "tag",
     "off, tag or reject a From: of a listed domain without proof."},
    {"receive_connector", "own_senders", text, "reject",
     "reject, tag or allow our own domains as sender from outside."},
    {"receive_connector", "message_size", size, "36M", "Largest message."},
    {"receive_connector", "recipients", number, "200", "Most recipients a message (never under 100)."},
    {"receive_connector", "connections", number, "5000", "Most connections."},
    {"receive_connector", "connections_per_source", number, "20",
     "Most connections from one address (IPv6: one /64), those not counted that a partner or server of ours proved to "
     "be "
     "its own."},
    {"receive_connector", "messages_per_source", number, "0",
     "Most messages a minute from one address, with the same exception; 0: no limit."},
    {"receive_connector", "tarpit", duration, "5s",
     "How long the reply to each protocol error or unknown recipient is kept back, the first of a session apart."},
    {"receive_connector", "inactivity", duration, "5min", "Longest silence, and longest time for a command."},
    {"receive_connector", "inactivity_under_load", duration, "1min",
     "The same while three quarters of the connections are taken, or descriptors are few."},
    {"receive_connector", "connection_time", duration, "30min", "Longest connection; a moving transfer is not cut."},
    {"receive_connector", "size", yes_no, "yes", "Offer SIZE (RFC 1870)."},
    {"receive_connector", "pipelining", yes_no, "yes", "Offer PIPELINING (RFC 2920)."},
    {"receive_connector", "eight_bit_mime", yes_no, "yes", "Offer 8BITMIME (RFC 6152)."},
    {"receive_connector", "chunking", yes_no, "yes", "Offer CHUNKING, the command BDAT (RFC 3030)."},
    {"receive_connector", "binary_mime", yes_no, "no",
     "Offer BINARYMIME (RFC 3030): only where every next hop takes or converts it; needs chunking."},
    {"receive_connector", "dsn", yes_no, "yes", "Offer DSN: NOTIFY, RET, ENVID, ORCPT (RFC 3461)."},
    {"receive_connector", "smtputf8", yes_no, "yes", "Offer SMTPUTF8 (RFC 6531); needs eight_bit_mime."},
    {"receive_connector", "enhanced_status_codes", yes_no, "yes", "Offer ENHANCEDSTATUSCODES (RFC 2034)."},
    {"receive_connector", "errors", number, "10", "Protocol errors before the session ends."},
    {"", "send_connector", block, "", "A named way out.", true},
    {"send_connector", "address_spaces", list, "", "Domain patterns with cost: `* 1`, `.contoso.com`."},
    {"send_connector", "routing", text, "dns", "dns, unless smart_host is given."},
    {"send_connector", "smart_host", text, "", "Host that takes the mail."},
    {"send_connector", "port", number, "25", "Port of the peers."},
    {"send_connector", "protocol", text, "smtp", "smtp or lmtp."},
    {"send_connector", "fqdn", text, "", "Our name in EHLO."},
    {"send_connector", "certificate", text, "", "As in receive_connector: what we show to servers that ask."},
    {"send_connector", "domain_secure_enabled", yes_no, "no", "Listed domains may leave here."},
    {"send_connector", "tls_domain", text, "", "Name that the smart host must prove."},
    {"send_connector", "internal", yes_no, "no", "Marks stay on the way out."},
    {"send_connector", "protocol_logging_level", text, "none", "none, verbose or decisions."},
    {"send_connector", "allow_destinations", list, "", "Loopback or link-local ranges that are meant."},
    {"send_connector", "source_address", address, "", "Our address."},
    {"send_connector", "user", text, "", "Whom we are to the smart host (AUTH PLAIN or LOGIN); needs tls_domain."},
    {"send_connector", "password_file", path, "", "Its password: one line, readable by its owner alone."},
    {"send_connector", "reply_time", duration, "5min",
     "Longest wait for the reply to a command; the reply to the message has twice that (RFC 5321 4.5.3.2)."},
    {"send_connector", "concurrency", number, "10", "Most connections a destination."},
    {"send_connector", "keep_idle", duration, "10s",
     "How long a connection waits for more mail of its destination before it ends; 0s: not at all."},
    {"send_connector", "connection_life", duration, "10min",
     "How old a connection gets that still takes messages; then another is made, and its peer judged from the start."},
    {"send_connector", "rate", number, "0", "Most messages a minute and destination; 0: no limit."},
    {"send_connector", "retry", block, "", "When deferred mail is tried again."},
    {"retry", "quick", duration, "60s", "Pause between the first tries."},
    {"retry", "quick_tries", number, "4", "How many of them."},
    {"retry", "medium", duration, "10min", "Pause between the next."},
    {"retry", "medium_tries", number, "6", "How many of them."},
    {"retry", "slow", duration, "30min", "Pause from then on."},
    {"retry", "delay_notice", duration, "4h", "When the sender is told that a message is delayed."},
    {"retry", "expiry", duration, "5d", "When a message is given up."},
    {"", "accepted_domain", block, "", "A domain that we take mail for.", true},
    {"accepted_domain", "recipients", block, "", "`file PATH` inside, one local part a line; or the value any."},
    {"recipients", "file", path, "", "One local part a line; # begins a comment."},
    {"accepted_domain", "late_reject", text, "hold",
     "What the next server refuses for good after we took it: hold, or bounce to a sender that nobody proved."},
    {"accepted_domain", "deliver", text, "",
     "maildir, discard (for measurement: mail is dropped), or the name of a send connector."},
};

std::size_t distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), 0);
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::size_t corner = std::exchange(row[0], i);
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const auto above = row[j];
            row[j] = std::min({above + 1, row[j - 1] + 1, corner + (a[i - 1] != b[j - 1])});
            corner = above;
        }
    }
    return row.back();
}

}  // namespace

std::span<const Key> keys() { return table; }

const Key* find_key(std::string_view where, std::string_view name) {
    // Ten thousand partners ask this a hundred thousand times.
    static const auto index = [] {
        std::map<std::pair<std::string_view, std::string_view>, const Key*> all;
        for (const auto& key : table) all.emplace(std::pair(key.where, key.name), &key);
        return all;
    }();
    const auto found = index.find({where, name});
    return found == index.end() ? nullptr : found->second;
}

std::string nearest(std::string_view name, const std::vector<std::string>& known) {
    std::string best;
    std::size_t best_distance = std::max<std::size_t>(2, name.size() / 3) + 1;
    for (const auto& one : known)
        if (const auto d = distance(name, one); d < best_distance) {
            best_distance = d;
            best = one;
        }
    return best.empty() ? best : " (did you mean " + best + "?)";
}

std::string suggestion(std::string_view where, std::string_view name) {
    std::vector<std::string> known;
    for (const auto& key : table)
        if (key.where == where) known.emplace_back(key.name);
    return nearest(name, known);
}

std::string reference_page() {
    std::string page =
        "# Configuration reference\n\nGenerated from the table of keys: `posternd --print-reference`.\n\n"
        "`postern config check` names every fault. `postern config show` prints all of it as it is understood, with "
        "defaults and\n"
        "the place of each value, `--changed` what differs from the defaults; secrets are never shown. `postern config "
        "diff` says\n"
        "what a reload of the file would change in the running daemon and what only a restart takes up, `config diff A "
        "B` what\n"
        "differs between two files (exit 1). What stands in the files that it names (keys, lists of recipients, "
        "scripts) is not\n"
        "compared.\n";
    std::vector<std::string_view> blocks;
    for (const auto& key : table)
        if (std::find(blocks.begin(), blocks.end(), key.where) == blocks.end()) blocks.push_back(key.where);
    for (const auto block_name : blocks) {
        page += block_name.empty() ? "\n## Top level\n" : "\n## " + std::string(block_name) + "\n";
        page += "\n| key | default | meaning |\n|---|---|---|\n";
        for (const auto& key : table)
            if (key.where == block_name)
                page += "| `" + std::string(key.name) + "` | " +
                        (key.otherwise.empty() ? "" : "`" + std::string(key.otherwise) + "`") + " | " +
                        std::string(key.explanation) + (key.restart ? " Taken up by a restart alone." : "") + " |\n";
    }
    return page;
}

}  // namespace postern::config
