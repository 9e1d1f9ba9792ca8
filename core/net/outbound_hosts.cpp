// Where a destination's mail hosts are: what deciders say, the smart host, or MX by the rules of RFC 5321 5.1, each
// name with its addresses of both families.
#include <algorithm>
#include <charconv>
#include <net/outbound_session.hpp>
#include <net/own_addresses.hpp>
#include <utility>

namespace postern::net {

static constexpr std::size_t most_hosts = 10, most_addresses = 20;

// Names that deciders gave instead of mail exchangers or smart host. What the domain demands is not touched by them.
awaitable<std::vector<OutboundDelivery::Target>> OutboundDelivery::routed() {
    std::vector<Target> targets;
    if (!listened_to(services_, worker_, *generation_, Event::route)) co_return targets;
    const auto facts = outbound_facts();
    const auto asked = co_await ask_outbound(services_, worker_, generation_, Event::route, facts, {});
    failure_ = refusal_of(asked, !entry_.empty());
    for (const auto& effect : asked.merged.effects) {
        auto name = effect.name;
        auto port = connector_->port;
        if (const auto colon = name.rfind(':'); colon != std::string::npos && name.find(':') == colon) {
            const auto* end = name.data() + name.size();
            const auto read = std::from_chars(name.data() + colon + 1, end, port);
            if (read.ec != std::errc() || read.ptr != end || port == 0)
                failure_ = smtp::ClientFailure{"plugin-failed", "4.3.0",
                                               "a policy routes to " + name + ", which is no host:port"};
            name.resize(colon);
        }
        targets.push_back({std::move(name), port, 0});
    }
    co_return targets;
}

OutboundDelivery::Standing OutboundDelivery::standing(const asio::ip::address& address) const {
    const bool v4_link_local = address.is_v4() && (address.to_v4().to_uint() >> 16) == 0xa9fe;
    const bool suspicious = address.is_loopback() || address.is_unspecified() || v4_link_local ||
                            (address.is_v6() && address.to_v6().is_link_local());
    const bool own = is_own_address(address);
    if (!suspicious && !own) return Standing::destination;
    const auto text = address.to_string();
    const bool meant = std::any_of(connector_->allow_destinations.begin(), connector_->allow_destinations.end(),
                                   [&](const config::Range& range) { return range.contains(text); });
    if (meant) return Standing::destination;
    return suspicious ? Standing::no_destination : Standing::own;
}

bool OutboundDelivery::is_own_name(std::string_view name) const {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
    const auto same = [&](std::string_view own) { return std::ranges::equal(name, own, {}, lower, lower); };
    const auto& settings = *generation_->settings;
    return same(connector_->fqdn) || same(settings.fqdn) ||
           std::ranges::any_of(settings.receive_connectors, [&](const auto& one) { return same(one.fqdn); });
}

// RFC 5321 4.1.3: [192.0.2.1], [IPv6:2001:db8::1] is where it goes. Empty: a domain.
static std::string address_literal(std::string_view domain) {
    if (!domain.starts_with('[') || !domain.ends_with(']')) return {};
    domain = domain.substr(1, domain.size() - 2);
    constexpr std::string_view six = "ipv6:";
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
    if (std::ranges::equal(domain.substr(0, six.size()), six, {}, lower)) domain.remove_prefix(six.size());
    return std::string(domain);
}

awaitable<std::vector<OutboundDelivery::Target>> OutboundDelivery::exchangers() {
    std::vector<Target> targets;
    if (auto literal = address_literal(destination_.domain); !literal.empty()) {
        error_code error;
        asio::ip::make_address(literal, error);
        if (error) fail({}, "5.1.3", destination_.domain + " is no address that mail can go to", true);
        else targets.push_back({std::move(literal), connector_->port, 0});
        co_return targets;
    }
    auto answer = co_await services_.resolver.mail_hosts(destination_.domain);
    if (!answer) {
        fail({}, answer.failure.token, answer.failure.text, answer.failure.token.starts_with('5'));
        co_return targets;
    }
    auto names = std::move(*answer);
    // RFC 5321 5.1: ourselves, and what is no better than ourselves, would be a loop.
    const auto own =
        std::find_if(names.begin(), names.end(), [&](const MxHost& host) { return is_own_name(host.name); });
    if (own != names.end()) {
        const auto preference = own->preference;
        std::erase_if(names, [&](const MxHost& host) { return host.preference >= preference; });
    }
    if (names.empty()) all_ours();
    // Who publishes hundreds is not looked up hundreds of times.
    if (names.size() > most_hosts) names.resize(most_hosts);
    for (auto& name : names) targets.push_back({std::move(name.name), connector_->port, name.preference, true});
    co_return targets;
}

void OutboundDelivery::all_ours() {
    fail({}, "5.4.6", "all mail hosts of " + destination_.domain + " are ourselves", true);
}

// False: one of them is ourselves, and what is no better than we are is no way out of here (RFC 5321 5.1).
bool OutboundDelivery::add_hosts(const Target& target, const Addresses& addresses, std::vector<Host>& found) {
    error_code error;
    const auto& source = connector_->source_address;
    const bool four = source && asio::ip::make_address(*source, error).is_v4();
    bool reachable = false;
    for (const auto& address : addresses) {
        const auto what = standing(address);
        if (what == Standing::own && target.by_mx) return false;
        if (source && four != address.is_v4()) continue;
        reachable = true;
        if (what == Standing::destination) found.push_back({target.name, address, target.port});
        else
            fail({}, "4.4.4",
                 target.name + " is at " + address.to_string() + ", which is no destination" +
                     (what == Standing::own ? " but ourselves" : "") + "; see allow_destinations");
    }
    if (!reachable)
        fail({}, "4.4.4",
             target.name + " has no IPv" + (four ? "4" : "6") + " address, and the source_address " + *source + " of " +
                 connector_->name + " reaches no other");
    return true;
}

// Nothing: one of them is ourselves.
awaitable<std::optional<std::vector<OutboundDelivery::Host>>> OutboundDelivery::hosts_of(std::vector<Target> alike) {
    std::vector<std::string> names;
    for (const auto& target : alike) names.push_back(target.name);
    const auto addresses = co_await services_.resolver.addresses(std::move(names));
    std::optional<std::vector<Host>> found{std::in_place};
    for (std::size_t i = 0; found && i < alike.size(); ++i) {
        if (!addresses[i]) {
            const auto& why = addresses[i].failure;
            // RFC 3463 3.5: neither MX nor address, which no waiting changes. A mail host that lacks one may get it.
            const bool nowhere = why.token == "5.4.4" && alike[i].by_mx && alike[i].name == destination_.domain;
            fail({}, why.token == "5.4.4" && !nowhere ? "4.4.4" : why.token,
                 nowhere ? destination_.domain + " has neither a mail host nor an address in DNS" : why.text, nowhere);
        } else if (!add_hosts(alike[i], *addresses[i], *found)) {
            found.reset();
        }
    }
    co_return found;
}

// Those of one preference after the other: how long the name servers of a worse one take delays no better one.
awaitable<void> OutboundDelivery::try_hosts() {
    auto targets = co_await routed();
    if (failure_) co_return;
    if (targets.empty() && connector_->smart_host) targets.push_back({*connector_->smart_host, connector_->port, 0});
    if (targets.empty()) targets = co_await exchangers();
    std::size_t tried = 0;
    for (auto first = targets.begin(); first != targets.end();) {
        const auto last = std::find_if(first + 1, targets.end(), [&](const Target& one) {
            return !one.by_mx || one.preference != first->preference;
        });
        std::vector<Target> alike(first, last);
        const auto before = failure_;
        const auto found = co_await hosts_of(std::move(alike));
        // What a host said, or why a better one was not found, is the reason; not what DNS has of a worse one.
        if (before && (tried > 0 || !found)) failure_ = before;
        if (!found && first == targets.begin()) all_ours();
        if (!found) co_return;
        first = last;
        for (const auto& host : *found) {
            if (++tried > most_addresses || std::chrono::steady_clock::now() > until_) co_return;
            const auto earlier = std::exchange(failure_, std::nullopt);
            if (co_await try_host(host)) co_return;
            note_failure(host);
            // One that is away may still take what another refuses for good.
            if (failure_ && failure_->permanent && earlier && !earlier->permanent) failure_ = earlier;
        }
    }
}

}  // namespace postern::net
