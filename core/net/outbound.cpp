#include <net/await.hpp>
#include <net/outbound.hpp>
#include <net/outbound_session.hpp>
#include <net/provider_delivery.hpp>
#include <policy/events.hpp>

namespace postern::net {

static queue::Destination by_connector(const config::Settings& settings, const queue::QueuedRecipient& recipient,
                                       const config::SendConnector* connector) {
    // Lists changed since it was queued may demand more; they never take away what was promised.
    auto requirement = floor_for(settings, settings.send_list.entry_for(recipient.domain));
    requirement.demand = policy::demand_of(recipient.requirement);
    return {std::string(smtp_route) + (connector ? connector->name : ""), recipient.domain,
            policy::to_text(requirement)};
}

queue::Destination route(const Generation& generation, const queue::QueuedRecipient& recipient) {
    const auto& settings = *generation.settings;
    if (!recipient.route.empty())
        for (const auto& connector : settings.send_connectors)
            if (connector.name == recipient.route) return by_connector(settings, recipient, &connector);
    const auto accepted = settings.accepted_domains.find(recipient.domain);
    if (accepted != settings.accepted_domains.end()) {
        const auto& way = accepted->second.deliver;
        for (const auto& connector : settings.send_connectors)
            if (connector.name == way) return {std::string(smtp_route) + way, recipient.domain, recipient.requirement};
        return {std::string(provider_route) + way, recipient.domain, recipient.requirement};
    }
    return by_connector(settings, recipient, settings.send_connector_for(recipient.domain));
}

awaitable<void> settle(Services& services, queue::Batch batch, std::vector<smtp::RecipientOutcome> outcomes,
                       std::string relay, std::string tls) {
    auto begin = [&](std::function<void(bool)> done) {
        services.queue.settle(batch, outcomes, relay, tls, [done = std::move(done)] { done(true); });
    };
    co_await told_later<bool>(std::move(begin));
    announce_results(services, batch, outcomes, relay);
}

void announce_results(Services& services, const queue::Batch& batch,
                      const std::vector<smtp::RecipientOutcome>& outcomes, const std::string& relay) {
    for (std::size_t i = 0; i < batch.which.size() && i < outcomes.size(); ++i) {
        const auto& outcome = outcomes[i];
        constexpr std::string_view results[] = {"", "delivered", "deferred", "bounced"};
        auto question = std::make_shared<policy::AskedQuestion>(Event::delivery_result, nullptr, nullptr);
        question->with("queue_id", batch.message.id)
            .with("recipient", batch.message.recipients.at(batch.which[i]).address)
            .with("result", std::string(results[static_cast<std::size_t>(outcome.kind)]))
            .with("status", outcome.status)
            .with("text", outcome.text)
            .with("relay", relay);
        services.announce(std::move(question));
    }
}

std::vector<smtp::RecipientOutcome> same_for_all(const queue::Batch& batch, const smtp::ClientFailure& failure) {
    smtp::RecipientOutcome outcome;
    outcome.kind = failure.permanent ? VerdictKind::reject : VerdictKind::defer;
    outcome.status = failure.status;
    outcome.text = failure.text;
    outcome.token = failure.token;
    return std::vector<smtp::RecipientOutcome>(batch.which.size(), outcome);
}

static constexpr std::chrono::seconds longest_telling{20};

awaitable<void> deliver(Services& services, Worker& worker, queue::Destination destination) {
    if (destination.route.starts_with(provider_route)) {
        co_await deliver_by_provider(services, std::move(destination));
        co_return;
    }
    auto first = services.queue.claim(destination, std::chrono::system_clock::now());
    if (!first) co_return;
    OutboundDelivery delivery(services, worker, destination);
    auto failure = co_await delivery.run(std::move(*first));
    co_await delivery.all_recorded();
    if (!failure) co_return;
    // No host took it. What comes from a host's being away lasts a while; a reason that is for good meets all that
    // waits.
    if (!failure->permanent) services.queue.put_off(destination, failure->text);
    // Each once for this failure, however long telling all of them takes, and not for longer than the next try may
    // wait: while this goes on nobody looks whether the host is back. The next failure goes on with the rest.
    const auto failed_at = std::chrono::system_clock::now();
    const auto until = std::chrono::steady_clock::now() + longest_telling;
    while (failure->permanent || std::chrono::steady_clock::now() < until) {
        auto next = failure->permanent ? services.queue.claim(destination, std::chrono::system_clock::now())
                                       : services.queue.claim_overdue(destination, failed_at);
        if (!next) co_return;
        auto outcomes = same_for_all(*next, *failure);
        co_await settle(services, std::move(*next), std::move(outcomes), "none", "none");
    }
}

}  // namespace postern::net
