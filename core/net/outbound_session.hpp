// One destination's way out: hosts tried in order until one proves itself, then batch after batch over that connection.
// outbound_session.cpp is the order of it, outbound_hosts.cpp finds the hosts, outbound_peer.cpp connects and judges,
// outbound_conversation.cpp sends.
#pragma once

#include <net/judging.hpp>
#include <net/outbound_body.hpp>
#include <net/outbound_policy.hpp>
#include <net/protocol_log.hpp>
#include <net/stream.hpp>
#include <smtp/client_session.hpp>

namespace postern::net {

class OutboundDelivery final : public GenerationHolder {
public:
    OutboundDelivery(Services& services, Worker& worker, queue::Destination destination);

    // Nothing: the connection served what it could. A failure: no host took the first batch, and this is why.
    awaitable<std::optional<smtp::ClientFailure>> run(queue::Batch first);
    void newer_generation() override;  // told while it waits for more to send
    // What run() settled is recorded durably.
    awaitable<void> all_recorded() { return recorded_to(0); }

private:
    struct Host {
        std::string name;
        asio::ip::address address;
        std::uint16_t port = 25;
    };
    struct Target {
        std::string name;
        std::uint16_t port = 25;
        std::uint16_t preference = 0;
        bool by_mx = false;
    };
    enum class Standing : std::uint8_t { destination, no_destination, own };
    awaitable<void> require();
    OutboundFacts outbound_facts() const;
    awaitable<bool> allowed(Event event, std::vector<Detail> details, const TlsFacts* tls);
    awaitable<std::vector<Target>> routed();
    awaitable<std::vector<Target>> exchangers();
    awaitable<std::optional<std::vector<Host>>> hosts_of(std::vector<Target> alike);
    awaitable<void> try_hosts();
    Standing standing(const asio::ip::address& address) const;
    bool is_own_name(std::string_view name) const;
    bool add_hosts(const Target& target, const Addresses& addresses, std::vector<Host>& found);
    void all_ours();
    awaitable<bool> try_host(const Host& host);
    awaitable<bool> try_connection(const Host& host);
    bool failed_by_continuing(const Host& host);
    std::string tls_scope(const Host& host) const;
    awaitable<bool> converse(const Host& host, Stream& stream, ProtocolLog& log);
    smtp::ClientSettings client_settings() const;
    awaitable<void> start_tls(const Host& host, Stream& stream, smtp::ClientSession& machine, ProtocolLog& log);
    awaitable<void> ask_peer(const Host& host, Stream& stream, smtp::ClientSession& machine, ProtocolLog& log);
    awaitable<void> next_batch(const Host& host, Stream& stream, smtp::ClientSession& machine, ProtocolLog& log);
    bool may_go_on() const;
    bool claim_next();
    awaitable<bool> more_comes(Stream& stream);
    policy::Evidence evidence_of(const TlsFacts& facts) const;
    const std::string& name_to_prove() const;
    awaitable<bool> still_proven(Stream& stream);
    void renew_deadlines(const smtp::ClientSession& machine);
    awaitable<void> flush(Stream& stream, smtp::ClientSession& machine, ProtocolLog& log, smtp::ClientDo what);
    awaitable<void> read(const Host& host, Stream& stream, smtp::ClientSession& machine, ProtocolLog& log);
    static smtp::ClientTransaction transaction_of(const queue::Batch& batch);
    static std::string relay(const Host& host);
    awaitable<bool> open_body(const smtp::ClientSession& machine, smtp::ClientTransaction& transaction);
    awaitable<void> send_body(Stream& stream, smtp::ClientSession& machine, ProtocolLog& log);
    awaitable<void> settle_behind(queue::Batch batch, std::vector<smtp::RecipientOutcome> outcomes, std::string relay,
                                  std::string tls);
    awaitable<void> recorded_to(std::size_t most);
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
    std::unique_ptr<OutboundBody> body_;
    Deadline until_{}, reply_until_{}, transaction_until_{};
    std::uint64_t replies_seen_ = 0;
    unsigned messages_ = 0;
    std::string session_id_, remote_address_;
    bool envelope_travelled_ = false;  // on this connection
    bool greeted_ = false;             // outbound_ehlo was asked on this connection
    bool served_ = false;              // a server had its say about a message on this connection
    bool continued_ = false;           // TLS on this connection continued an earlier session, or broke offering to
    bool anew_ = false;                // it is not to
    bool once_ = false;                // in clear by the exception for one message
    Ref<TlsIdentity> identity_;        // what we showed on this connection
    Deadline lives_until_{};           // from then on it takes nothing new
    Stream* waiting_ = nullptr;        // for more to send
    std::optional<smtp::ClientFailure> failure_;
    // Outcomes that are being recorded; the next message does not wait for that. The worker's alone.
    struct Unrecorded {
        std::size_t count = 0;
        asio::steady_timer fewer;
    };
    std::shared_ptr<Unrecorded> unrecorded_;
};

}  // namespace postern::net
