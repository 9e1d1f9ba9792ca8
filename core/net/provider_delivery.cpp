#include <algorithm>
#include <cstring>
#include <net/await.hpp>
#include <net/outbound.hpp>
#include <net/provider_delivery.hpp>

namespace postern::net {

namespace {

constexpr std::chrono::milliseconds delivery_time{120000};
constexpr std::string_view discard_name = "discard";

// The stored message with Return-Path in front (RFC 5321 4.4: on final delivery alone).
class WithReturnPath : public MessageSource {
public:
    WithReturnPath(Ref<MessageSource> stored, const std::string& sender)
        : stored_(std::move(stored)), front_("Return-Path: <" + sender + ">\r\n") {}
    Outcome<std::uint64_t> size() override {
        auto inner = stored_->size();
        if (!inner) return inner;
        return *inner + front_.size();
    }
    Outcome<std::size_t> read_at(std::uint64_t offset, std::span<std::uint8_t> into) override {
        if (offset >= front_.size()) return stored_->read_at(offset - front_.size(), into);
        const auto count = std::min<std::size_t>(front_.size() - offset, into.size());
        std::memcpy(into.data(), front_.data() + offset, count);
        return count;
    }

private:
    Ref<MessageSource> stored_;
    std::string front_;
};

std::string unquoted(std::string_view local_part) {
    if (local_part.size() < 2 || local_part.front() != '"') return std::string(local_part);
    std::string plain;
    for (std::size_t i = 1; i + 1 < local_part.size(); ++i) {
        if (local_part[i] == '\\' && i + 2 < local_part.size()) ++i;
        plain += local_part[i];
    }
    return plain;
}

DeliveryRequest request_for(const queue::QueuedMessage& message, const queue::QueuedRecipient& recipient,
                            const Ref<MessageSource>& source) {
    DeliveryRequest request;
    request.queue_id = message.id;
    request.sender = message.sender;
    request.recipient = recipient.address;
    request.local_part = unquoted(std::string_view(recipient.address).substr(0, recipient.address.rfind('@')));
    request.domain = recipient.domain;
    request.message = source;
    return request;
}

awaitable<std::vector<smtp::RecipientOutcome>> hand_over(Services& services, const queue::Batch& batch,
                                                         Delivery* provider, std::string name) {
    auto stored = services.spool.open(batch.message.id);
    if (!stored || !provider) {
        const smtp::ClientFailure failure{
            {}, "4.3.0", stored ? "the plugin deliver-" + name + " is not loaded" : stored.error().text, false};
        co_return same_for_all(batch, failure);
    }
    const Ref<MessageSource> source(new WithReturnPath(*stored, batch.message.sender));
    std::vector<smtp::RecipientOutcome> outcomes;
    for (const auto index : batch.which) {
        auto pending = provider->deliver(request_for(batch.message, batch.message.recipients.at(index), source));
        auto result = co_await answer_of(std::move(pending), delivery_time, "plugin-failed");
        smtp::RecipientOutcome outcome;
        outcome.kind = result ? result->kind : VerdictKind::defer;
        outcome.status = result ? result->status : "4.3.0";
        outcome.text = result ? result->text : result.failure.text;
        outcomes.push_back(std::move(outcome));
    }
    co_return outcomes;
}

}  // namespace

// `deliver discard`: what receiving costs, measured without a next hop.
static std::vector<smtp::RecipientOutcome> discarded(const queue::Batch& batch) {
    const smtp::RecipientOutcome outcome{VerdictKind::proceed, 0, "2.0.0", "discarded as configured", {}};
    return std::vector<smtp::RecipientOutcome>(batch.which.size(), outcome);
}

awaitable<void> deliver_by_provider(Services& services, queue::Destination destination) {
    const auto name = destination.route.substr(provider_route.size());
    for (;;) {
        auto batch = services.queue.claim(destination, std::chrono::system_clock::now());
        if (!batch) co_return;
        std::vector<smtp::RecipientOutcome> outcomes;
        if (name == discard_name) outcomes = discarded(*batch);
        else outcomes = co_await hand_over(services, *batch, services.plugins.delivery(name), name);
        co_await settle(services, std::move(*batch), std::move(outcomes), name, "none");
    }
}

}  // namespace postern::net
