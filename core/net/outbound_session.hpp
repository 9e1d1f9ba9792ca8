// One destination's way out: hosts tried in order until one proves itself, then batch after batch over that connection.
#pragma once

#include <net/judging.hpp>
#include <net/outbound_policy.hpp>
#include <net/protocol_log.hpp>
#include <net/stream.hpp>
#include <smtp/client_session.hpp>

namespace postern::net {

class OutboundDelivery {
public:
    OutboundDelivery(Services& services, Worker& worker, queue::Destination destination);

    // Nothing: the connection served what it could. A failure: no host took the first batch, and this is why.
    awaitable<std::optional<smtp::ClientFailure>> run(queue::Batch first);

private:
    struct Host {
        std::string name;
        asio::ip::address address;
        std::uint16_t port = 25;
    };
    struct Target {
        std::string name;
        std::uint16_t port = 25;
    };
    awaitable<void> require();
    OutboundFacts outbound_facts() const;
    awaitable<bool> allowed(Event event, std::vector<Detail> details, const TlsFacts* tls);
    awaitable<std::vector<Target>> routed();
    awaitable<std::vector<Target>> exchangers();
    awaitable<std::vector<Host>> hosts();
    bool is_destination(const asio::ip::address& address) const;
    awaitable<bool> try_host(const Host& host);
    awaitable<bool> converse(const Host& host, Stream& stream, ProtocolLog& log);
    smtp::ClientSettings client_settings() const;
    awaitable<void> start_tls(const Host& host, Stream& stream, smtp::ClientSession& machine, ProtocolLog& log);
    awaitable<void> ask_peer(const Host& host, Stream& stream, smtp::ClientSession& machine, ProtocolLog& log);
    awaitable<void> next_batch(const Host& host, Stream& stream, smtp::ClientSession& machine, ProtocolLog& log);
    awaitable<void> send_body(smtp::ClientSession& machine);
    awaitable<void> finish(const Host& host, Stream& stream, smtp::ClientSession& machine);
    void fail(std::string token, std::string status, std::string text, bool permanent = false);
    void note_failure(const Host& host);

    Services& services_;
    Worker& worker_;
    std::shared_ptr<const Generation> generation_;
    queue::Destination destination_;
    const config::SendConnector* connector_ = nullptr;
    std::string entry_;  // of the send list, or empty
    policy::Requirement requirement_;
    policy::Outcome outcome_;
    const config::TrustedServer* pinned_ = nullptr;
    std::optional<queue::Batch> batch_;
    Ref<MessageSource> source_;
    std::uint64_t offset_ = 0;
    unsigned messages_ = 0;
    std::string session_id_, remote_address_;
    bool envelope_travelled_ = false;  // on this connection
    bool greeted_ = false;             // outbound_ehlo was asked on this connection
    bool broken_ = false;              // this connection ended; the batch, if any, is unsettled
    std::optional<smtp::ClientFailure> failure_;
};

}  // namespace postern::net
