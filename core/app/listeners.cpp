#include <algorithm>
#include <app/listeners.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <net/inbound.hpp>
#include <net/stream.hpp>

namespace postern::app {

using net::tcp;
namespace asio = net::asio;

static std::string key_of(const config::Endpoint& endpoint) {
    return endpoint.address + " " + std::to_string(endpoint.port);
}

// IPv6 neighbours share a /64, and so a limit.
static std::string source_of(const asio::ip::address& address) {
    if (address.is_v4()) return address.to_string();
    auto bytes = address.to_v6().to_bytes();
    std::fill(bytes.begin() + 8, bytes.end(), std::uint8_t{0});
    return asio::ip::address_v6(bytes).to_string();
}

std::variant<Listeners::Opened, config::ConfigProblem> Listeners::open(const config::Settings& settings) {
    Opened opened;
    for (const auto& connector : settings.receive_connectors)
        for (const auto& binding : connector.bindings) {
            const auto key = key_of(binding);
            if (opened.contains(key)) continue;
            if (auto kept = listeners_.find(key); kept != listeners_.end()) {
                opened.emplace(key, kept->second);
                continue;
            }
            auto listener = std::make_shared<Listener>(Listener{tcp::acceptor(loop_), key});
            net::error_code error;
            const tcp::endpoint endpoint(asio::ip::make_address(binding.address, error), binding.port);
            if (!error) listener->acceptor.open(endpoint.protocol(), error);
            if (!error) listener->acceptor.set_option(tcp::acceptor::reuse_address(true), error);
            if (!error && endpoint.address().is_v6()) listener->acceptor.set_option(asio::ip::v6_only(true), error);
            if (!error) listener->acceptor.bind(endpoint, error);
            if (!error) listener->acceptor.listen(1024, error);
            if (error)
                return config::ConfigProblem{
                    connector.place.file, connector.place.line, "receive_connector",
                    connector.name + ": cannot listen on " + net::to_text(endpoint) + ": " + error.message(), false};
            opened.emplace(key, listener);
        }
    return opened;
}

void Listeners::use(Opened opened, std::shared_ptr<const net::Generation> generation) {
    generation_ = std::move(generation);
    for (auto& [key, listener] : listeners_)
        if (!opened.contains(key)) listener->acceptor.close();
    for (auto& [key, listener] : opened)
        if (!listeners_.contains(key)) {
            auto loop = accept(listener);
            asio::co_spawn(loop_, std::move(loop), asio::detached);
        }
    listeners_ = std::move(opened);
}

void Listeners::close() {
    for (auto& [key, listener] : listeners_) {
        net::error_code ignored;
        listener->acceptor.close(ignored);
    }
    listeners_.clear();
}

std::vector<std::string> Listeners::addresses() const {
    std::vector<std::string> all;
    for (const auto& [key, listener] : listeners_) {
        net::error_code error;
        all.push_back(net::to_text(listener->acceptor.local_endpoint(error)));
    }
    return all;
}

net::awaitable<void> Listeners::accept(std::shared_ptr<Listener> listener) {
    while (listener->acceptor.is_open()) {
        // The socket is its worker's from the start: it lives and dies there.
        auto& worker = **std::min_element(workers_.begin(), workers_.end(),
                                          [](auto& a, auto& b) { return a->sessions < b->sessions; });
        const asio::any_io_executor there = worker.loop.get_executor();
        auto [error, socket] = co_await listener->acceptor.async_accept(there, net::no_throw);
        if (!error) {
            hand_over(std::move(socket), worker, listener->key);
            continue;
        }
        if (!listener->acceptor.is_open()) co_return;
        // Out of descriptors or the like: breathe, others will close.
        asio::steady_timer pause(loop_, std::chrono::milliseconds(100));
        (void)co_await pause.async_wait(net::no_throw);
    }
}

// Of those that share a binding the most specific remote range wins.
const config::ReceiveConnector* Listeners::connector_for(const std::string& key, const std::string& remote) const {
    const config::ReceiveConnector* best = nullptr;
    int best_prefix = -1;
    for (const auto& connector : generation_->settings->receive_connectors) {
        const bool here = std::any_of(connector.bindings.begin(), connector.bindings.end(),
                                      [&](const auto& one) { return key_of(one) == key; });
        if (!here) continue;
        for (const auto& range : connector.remote_ranges)
            if (range.contains(remote) && static_cast<int>(range.prefix) > best_prefix) {
                best = &connector;
                best_prefix = static_cast<int>(range.prefix);
            }
    }
    return best;
}

void Listeners::hand_over(tcp::socket socket, net::Worker& worker, const std::string& key) {
    net::error_code error;
    const auto remote = socket.remote_endpoint(error);
    if (error) return;
    const auto* connector = connector_for(key, remote.address().to_string());
    const auto source = source_of(remote.address());
    std::string why;
    if (!connector) why = "4.7.1 no receive connector takes connections from your address";
    else if (open_ >= connector->connections) why = "4.7.0 too many connections, try again later";
    else if (held(source) >= connector->connections_per_source) why = "4.7.0 too many connections from your address";
    if (!why.empty()) {
        services_.log.info("session-refused", net::to_text(remote) + ": " + why);
        auto refusal =
            net::turn_away(std::move(socket), connector ? connector->fqdn : generation_->settings->fqdn, why);
        asio::co_spawn(worker.loop, std::move(refusal), asio::detached);
        return;
    }
    ++open_;
    ++per_source_[source];
    ++worker.sessions;
    services_.counters.set("postern_sessions_open", {}, static_cast<double>(open_));
    auto ended = [this, source, &worker](std::exception_ptr failed) {
        asio::post(loop_, [this, source, &worker, failed] {
            --open_;
            --worker.sessions;
            if (--per_source_[source] == 0) per_source_.erase(source);
            services_.counters.set("postern_sessions_open", {}, static_cast<double>(open_));
            if (failed) services_.log.error("plugin-failed", "a session ended by an exception that nobody caught");
        });
    };
    auto session = net::receive(services_, worker, std::move(socket), connector->name, draining_);
    asio::co_spawn(worker.loop, std::move(session), std::move(ended));
}

}  // namespace postern::app
