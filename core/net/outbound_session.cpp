#include <algorithm>
#include <net/outbound.hpp>
#include <net/outbound_session.hpp>
#include <net/provider_delivery.hpp>

namespace postern::net {

static constexpr std::chrono::minutes most_time{5};

OutboundDelivery::OutboundDelivery(Services& services, Worker& worker, queue::Destination destination)
    : services_(services),
      worker_(worker),
      generation_(worker.generation),
      destination_(std::move(destination)),
      unrecorded_(std::make_shared<Unrecorded>(Unrecorded{0, asio::steady_timer(worker.loop)})) {
    const auto name = destination_.route.substr(smtp_route.size());
    for (const auto& connector : generation_->settings->send_connectors)
        if (connector.name == name) connector_ = &connector;
    if (!generation_->settings->accepted_domains.contains(destination_.domain))
        entry_ = generation_->settings->send_list.entry_for(destination_.domain);
}

void OutboundDelivery::fail(std::string token, std::string status, std::string text, bool permanent) {
    failure_ = smtp::ClientFailure{std::move(token), std::move(status), std::move(text), permanent};
}

awaitable<void> OutboundDelivery::require() {
    requirement_ = floor_for(*generation_->settings, entry_);
    // What was promised when the message was queued still holds, whatever the lists say now.
    requirement_.demand = policy::demand_of(destination_.requirement);
    if (connector_->tls_domain) {
        requirement_.demand.mutual = true;
        if (entry_.empty()) requirement_.partner.mutual_outbound = false;  // it proves its name; we need not prove ours
    }
    if (generation_->settings->accepted_domains.contains(destination_.domain)) co_return;
    if (!listened_to(services_, worker_, *generation_, Event::outbound_requirement)) co_return;
    const auto facts = outbound_facts();
    const auto asked = co_await ask_outbound(services_, worker_, generation_, Event::outbound_requirement, facts, {});
    const auto& demand = asked.merged.demand;
    if (demand) requirement_.demand = policy::strictest(requirement_.demand, *demand);
    if (requirement_.partner.enforcement_script && asked.replaces_floor) requirement_.floor_replaced = true;
    failure_ = refusal_of(asked, !entry_.empty());
}

OutboundFacts OutboundDelivery::outbound_facts() const {
    return {&*batch_, connector_->name, entry_, session_id_, remote_address_, nullptr};
}

// False: a decider refused; failure_ says why.
awaitable<bool> OutboundDelivery::allowed(Event event, std::vector<Detail> details, const TlsFacts* tls) {
    if (!batch_ || !listened_to(services_, worker_, *generation_, event)) co_return true;
    auto facts = outbound_facts();
    facts.tls = tls;
    const auto asked = co_await ask_outbound(services_, worker_, generation_, event, facts, std::move(details));
    auto refused = refusal_of(asked, !entry_.empty());
    if (refused) failure_ = std::move(refused);
    co_return !failure_;
}

awaitable<std::optional<smtp::ClientFailure>> OutboundDelivery::run(queue::Batch first) {
    batch_ = std::move(first);
    if (!connector_) {
        fail({}, "4.3.5", "no send connector has an address space for " + destination_.domain);
    } else {
        co_await require();
        const bool dns_or_via = !connector_->smart_host || requirement_.partner.via == connector_->name;
        if (!failure_ && !entry_.empty() && (!connector_->domain_secure_enabled || !dns_or_via)) {
            services_.alarms.raise("connector-not-secured", connector_->name,
                                   "mail for " + destination_.domain + " would leave by this send connector");
            fail("connector-not-secured", "4.7.0",
                 "the send connector " + connector_->name + " is not secured for listed domains");
        }
    }
    if (!failure_) {
        until_ = within(most_time);
        co_await try_hosts();
    }
    if (!batch_) co_return std::nullopt;
    if (!failure_) fail({}, "4.4.1", "the connection ended");
    auto outcomes = same_for_all(*batch_, *failure_);
    co_await settle(services_, std::move(*batch_), std::move(outcomes), "none", "none");
    batch_.reset();
    co_return failure_;
}

void OutboundDelivery::note_failure(const Host& host) {
    if (entry_.empty() || !failure_ || envelope_travelled_) return;
    const auto reason = failure_->token.empty() ? std::string("connection") : failure_->token;
    services_.counters.add("postern_domain_secured_outbound_session_failures_total",
                           labels({{"domain", entry_}, {"reason", reason}}));
    if (!failure_->token.empty())
        services_.alarms.raise(
            "certificate-failure", entry_,
            host.name + " did not prove " + destination_.domain + ": " + failure_->token + ": " + failure_->text);
}

}  // namespace postern::net
