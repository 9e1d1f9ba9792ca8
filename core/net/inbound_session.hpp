// One session on a receive connector: drives the ServerSession machine over a Stream. inbound.cpp has the loop and what
// deciders are asked, inbound_tls.cpp the handshake.
#pragma once

#include <net/inbound.hpp>
#include <net/inbound_message.hpp>
#include <net/protocol_log.hpp>
#include <net/stream.hpp>
#include <smtp/server_session.hpp>

namespace postern::net {

class Inbound final : public GenerationHolder {
public:
    Inbound(Services& services, Worker& worker, std::shared_ptr<Stream> stream,
            const config::ReceiveConnector& connector, Admission admission)
        : services_(services),
          worker_(worker),
          stream_(std::move(stream)),
          admission_(std::move(admission)),
          id_(new_session_id()),
          log_(services.plugins, connector.protocol_logging, false, connector.name, id_),
          policy_(services, worker, log_),
          message_(services, worker),
          held_(services.held) {
        facts_.generation = worker.generation;
        facts_.connector = &connector;
        facts_.id = id_;
        facts_.remote_address = stream_->remote_address();
        machine_ = std::make_unique<smtp::ServerSession>(settings(), smtp::ServerPeer{facts_.remote_address, id_});
        worker_.holders.insert(this);
    }
    ~Inbound() { worker_.holders.erase(this); }
    Inbound(const Inbound&) = delete;
    Inbound& operator=(const Inbound&) = delete;

    awaitable<void> run();
    void newer_generation() override;
    void look_again() override;

private:
    smtp::ServerSettings settings() const;
    void take_up_generation();
    awaitable<void> slow_down(std::size_t offences);
    awaitable<bool> flush(bool last = false);
    awaitable<void> ask_mail();
    bool beyond_rate() const;
    awaitable<void> read();
    awaitable<bool> start_tls();
    awaitable<void> choose_on_hello(TlsSession& tls, TlsServerOptions& options);
    awaitable<void> ask();
    awaitable<void> ask_recipient();
    awaitable<Asked> early(Event event, std::vector<Detail> details = {});
    void edit_extensions(const std::vector<Effect>& effects);
    Deadline read_deadline();

    Services& services_;
    Worker& worker_;
    std::shared_ptr<Stream> stream_;
    Admission admission_;
    std::string id_;
    ProtocolLog log_;
    InboundPolicy policy_;
    InboundMessage message_;
    SessionFacts facts_;
    std::unique_ptr<smtp::ServerSession> machine_;
    unsigned messages_ = 0;
    Deadline end_{}, transfer_began_{}, command_began_{};
    std::uint64_t transferred_ = 0, taken_ = 0;
    HeldOctets::Part held_;
    bool told_ = false, waiting_ = false, hurried_ = false, verified_ = false, offended_ = false;
};

}  // namespace postern::net
