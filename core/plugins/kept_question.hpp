// A question copied out of its call, for deciders that may block and are therefore asked on their plugin's lane.
#pragma once

#include <algorithm>
#include <postern/decider.hpp>

namespace postern::plugins {

class KeptQuestion final : public Question, private Session, private Envelope {
public:
    // `details`: the names under which the event has some.
    KeptQuestion(const Question& asked, std::span<const std::string_view> details)
        : event_(asked.event()), domain_(asked.domain()), partner_(asked.partner()), header_(asked.header()) {
        for (const auto name : details)
            if (const auto value = asked.detail(name)) details_.push_back({std::string(name), std::string(*value)});
        if (const auto* session = asked.session()) keep(*session);
        if (const auto* envelope = asked.envelope()) keep(*envelope);
    }

    Event event() const override { return event_; }
    const Session* session() const override { return has_session_ ? this : nullptr; }
    const Envelope* envelope() const override { return has_envelope_ ? this : nullptr; }
    std::string_view domain() const override { return domain_; }
    std::string_view partner() const override { return partner_; }
    std::string_view header() const override { return header_; }
    std::optional<std::string_view> detail(std::string_view name) const override {
        const auto found = std::ranges::find(details_, name, &Detail::name);
        if (found == details_.end()) return std::nullopt;
        return found->value;
    }

private:
    void keep(const Session& session) {
        has_session_ = true;
        id_ = session.id();
        connector_ = session.connector();
        remote_ = session.remote_address();
        helo_ = session.helo();
        outbound_ = session.outbound();
        if (const auto* facts = session.tls()) tls_ = *facts;
    }
    void keep(const Envelope& envelope) {
        has_envelope_ = true;
        sender_ = envelope.sender();
        sender_domain_ = envelope.sender_domain();
        for (std::size_t i = 0; i < envelope.recipients(); ++i)
            recipients_.push_back({std::string(envelope.recipient(i)), std::string(envelope.recipient_domain(i))});
    }

    std::string_view id() const override { return id_; }
    std::string_view connector() const override { return connector_; }
    std::string_view remote_address() const override { return remote_; }
    std::string_view helo() const override { return helo_; }
    const TlsFacts* tls() const override { return tls_ ? &*tls_ : nullptr; }
    bool outbound() const override { return outbound_; }
    std::string_view sender() const override { return sender_; }
    std::string_view sender_domain() const override { return sender_domain_; }
    std::size_t recipients() const override { return recipients_.size(); }
    std::string_view recipient(std::size_t i) const override { return recipients_.at(i).name; }
    std::string_view recipient_domain(std::size_t i) const override { return recipients_.at(i).value; }

    Event event_;
    std::string domain_, partner_, header_;
    std::vector<Detail> details_;
    bool has_session_ = false, has_envelope_ = false, outbound_ = false;
    std::string id_, connector_, remote_, helo_, sender_, sender_domain_;
    std::optional<TlsFacts> tls_;
    std::vector<Detail> recipients_;  // address, domain
};

}  // namespace postern::plugins
