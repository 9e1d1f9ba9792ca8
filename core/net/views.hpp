// The SDK's views over a session and its envelope, as deciders see them; they live for one question.
#pragma once

#include <net/inbound_policy.hpp>
#include <postern/session.hpp>

namespace postern::net {

struct SessionView final : Session {
    SessionView(const SessionFacts& session_facts, std::string_view helo_name)
        : facts(session_facts), helo_(helo_name) {}
    std::string_view id() const override { return facts.id; }
    std::string_view connector() const override { return facts.connector->name; }
    std::string_view remote_address() const override { return facts.remote_address; }
    std::string_view helo() const override { return helo_; }
    const TlsFacts* tls() const override { return facts.tls; }
    bool outbound() const override { return false; }
    const SessionFacts& facts;
    std::string helo_;
};

struct EnvelopeView final : Envelope {
    explicit EnvelopeView(const smtp::Transaction& one)
        : transaction(one), address(one.sender.empty ? "" : one.sender.address()) {
        for (const auto& path : one.recipients) addresses.push_back(path.address());
    }
    std::string_view sender() const override { return address; }
    std::string_view sender_domain() const override { return transaction.sender.domain; }
    std::size_t recipients() const override { return addresses.size(); }
    std::string_view recipient(std::size_t i) const override { return addresses.at(i); }
    std::string_view recipient_domain(std::size_t i) const override { return transaction.recipients.at(i).domain; }
    const smtp::Transaction& transaction;
    std::string address;
    std::vector<std::string> addresses;
};

}  // namespace postern::net
