#include <net/outbound_policy.hpp>

namespace postern::net {

namespace {

struct ConnectionView final : Session {
    explicit ConnectionView(const OutboundFacts& shown) : facts(shown) {}
    std::string_view id() const override { return facts.session_id; }
    std::string_view connector() const override { return facts.connector; }
    std::string_view remote_address() const override { return facts.remote_address; }
    std::string_view helo() const override { return {}; }
    const TlsFacts* tls() const override { return facts.tls; }
    bool outbound() const override { return true; }
    const OutboundFacts& facts;
};

struct BatchView final : Envelope {
    explicit BatchView(const queue::Batch& one) : batch(one) {}
    std::string_view sender() const override { return batch.message.sender; }
    std::string_view sender_domain() const override {
        const auto at = batch.message.sender.rfind('@');
        return at == std::string::npos ? std::string_view() : std::string_view(batch.message.sender).substr(at + 1);
    }
    std::size_t recipients() const override { return batch.which.size(); }
    std::string_view recipient(std::size_t i) const override {
        return batch.message.recipients.at(batch.which.at(i)).address;
    }
    std::string_view recipient_domain(std::size_t) const override { return batch.destination.domain; }
    const queue::Batch& batch;
};

}  // namespace

awaitable<Asked> ask_outbound(const Services& services, Worker& worker, std::shared_ptr<const Generation> generation,
                              Event event, const OutboundFacts& facts, std::vector<Detail> details) {
    const ConnectionView session(facts);
    const BatchView envelope(*facts.batch);
    policy::AskedQuestion question(event, &session, &envelope, facts.entry, facts.batch->destination.domain);
    for (auto& one : details) question.with(one.name, std::move(one.value));
    auto subject = "domain " + facts.batch->destination.domain + "; message " + facts.batch->message.id;
    co_return co_await ask(services, worker, std::move(generation), question, std::move(subject));
}

std::optional<smtp::ClientFailure> refusal_of(const Asked& asked, bool listed) {
    if (asked.defers(listed)) {
        const auto* token = asked.plugin_failed ? "plugin-failed" : "script-failed";
        return smtp::ClientFailure{token, "4.3.0", "a policy failed: " + asked.error, false};
    }
    const auto& verdict = asked.merged.verdict;
    if (verdict.kind == VerdictKind::proceed) return std::nullopt;
    const bool permanent = verdict.kind == VerdictKind::reject;
    return smtp::ClientFailure{{}, permanent ? "5.7.1" : "4.7.1", verdict.reply.text, permanent};
}

}  // namespace postern::net
