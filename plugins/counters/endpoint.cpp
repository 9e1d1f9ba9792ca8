#include <counters/endpoint.hpp>
#include <counters/exposition.hpp>
#include <counters/messages.hpp>

namespace postern::counters {

void Endpoint::listen_on(const ListenAddress& address) {
    std::lock_guard lock(mutex_);
    if (stopped_) return;
    if (!wanted_ || wanted_->text() != address.text()) {
        // The old one first: 127.0.0.1 and 0.0.0.0 of one port exclude each other.
        server_.reset();
        wanted_ = address;
    }
    if (!server_) open();
    if (std::exchange(ticking_, true)) return;
    host_.after(between_looks, [this] { tick(); });
}

void Endpoint::open() {
    auto server = Server::listen(*wanted_, [this] { return exposition(host_.counters()); });
    if (!server) return host_.alarm(messages::counters_not_listening, "counters", server.failure.text);
    server_ = std::move(*server);
    host_.alarm(messages::counters_not_listening, "counters", {});
    host_.log(Severity::info, messages::counters_listening, "http://" + server_->address().text() + "/metrics");
}

void Endpoint::tick() {
    std::lock_guard lock(mutex_);
    if (stopped_) return;
    if (server_) server_->sweep();
    else open();
    host_.after(between_looks, [this] { tick(); });
}

void Endpoint::stop() {
    std::lock_guard lock(mutex_);
    stopped_ = true;
    server_.reset();
    host_.alarm(messages::counters_not_listening, "counters", {});
}

}  // namespace postern::counters
