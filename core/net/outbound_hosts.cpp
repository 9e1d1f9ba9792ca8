// Where a destination's mail hosts are: what deciders say, the smart host, or MX by the rules of RFC 5321 5.1, each
// name with its addresses of both families.
#include <algorithm>
#include <charconv>
#include <net/outbound_session.hpp>
#include <net/own_addresses.hpp>

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
    const auto& settings = *generation_->settings;
    if (name == connector_->fqdn || name == settings.fqdn) return true;
    return std::any_of(settings.receive_connectors.begin(), settings.receive_connectors.end(),
                       [&](const config::ReceiveConnector& one) { return one.fqdn == name; });
}

awaitable<std::vector<OutboundDelivery::Target>> OutboundDelivery::exchangers() {
    std::vector<Target> targets;
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

// False: the address is ours, and what is no better than it goes as well.
bool OutboundDelivery::add_host(const Target& target, const asio::ip::address& address, std::vector<Host>& found) {
    error_code error;
    const auto& source = connector_->source_address;
    if (source && asio::ip::make_address(*source, error).is_v4() != address.is_v4()) {
        fail({}, "4.4.4", target.name + " has no address of the family of source_address " + *source);
        return true;
    }
    const auto what = standing(address);
    if (what == Standing::destination) {
        if (found.size() < most_addresses) found.push_back({target.name, address, target.port, target.preference});
        return true;
    }
    fail({}, "4.4.4",
         target.name + " is at " + address.to_string() + ", which is no destination" +
             (what == Standing::own ? " but ourselves" : "") + "; see allow_destinations");
    if (what != Standing::own || !target.by_mx) return true;
    std::erase_if(found, [&](const Host& host) { return host.preference >= target.preference; });
    if (found.empty()) all_ours();
    return false;
}

awaitable<std::vector<OutboundDelivery::Host>> OutboundDelivery::hosts() {
    std::vector<Host> found;
    auto targets = co_await routed();
    if (failure_) co_return found;
    if (targets.empty() && connector_->smart_host) targets.push_back({*connector_->smart_host, connector_->port, 0});
    if (targets.empty()) targets = co_await exchangers();
    for (const auto& target : targets) {
        auto addresses = co_await services_.resolver.addresses(target.name);
        if (!addresses) {
            fail({}, addresses.failure.token == "5.4.4" ? "4.4.4" : addresses.failure.token, addresses.failure.text);
            continue;
        }
        for (const auto& address : *addresses)
            if (!add_host(target, address, found)) co_return found;
    }
    co_return found;
}

}  // namespace postern::net
