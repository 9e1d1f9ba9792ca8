// One session on a receive connector: drives the ServerSession machine over a Stream. inbound.cpp has the loop and what
// deciders are asked, inbound_tls.cpp the handshake.
#pragma once

#include <net/inbound_message.hpp>
#include <net/protocol_log.hpp>
#include <net/stream.hpp>
#include <smtp/server_session.hpp>

namespace postern::net {

class Inbound final : public GenerationHolder {
public:
    Inbound(Services& services, Worker& worker, std::shared_ptr<Stream> stream,
            const config::ReceiveConnector& connector, const std::atomic<bool>& draining)
        : services_(services),
          worker_(worker),
          stream_(std::move(stream)),
          draining_(draining),
          id_(new_session_id()),
          log_(services.plugins, connector.protocol_logging, false, connector.name, id_),
          policy_(services, worker, log_),
          message_(services, worker) {
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

private:
    smtp::ServerSettings settings() const;
    void take_up_generation();
    awaitable<bool> flush(bool last = false);
    awaitable<void> read();
    awaitable<bool> start_tls();
    awaitable<void> choose_on_hello(TlsSession& tls, TlsServerOptions& options);
    awaitable<void> ask();
    awaitable<void> ask_recipient();
    awaitable<Asked> early(Event event, std::vector<Detail> details = {});
    void edit_extensions(const std::vector<Effect>& effects);
    Deadline read_deadline() const;

    Services& services_;
    Worker& worker_;
    std::shared_ptr<Stream> stream_;
    const std::atomic<bool>& draining_;
    std::string id_;
    ProtocolLog log_;
    InboundPolicy policy_;
    InboundMessage message_;
    SessionFacts facts_;
    std::unique_ptr<smtp::ServerSession> machine_;
    unsigned messages_ = 0;
    Deadline end_{}, transfer_began_{};
    std::uint64_t transferred_ = 0;
    bool told_ = false, waiting_ = false;
};

}  // namespace postern::net
