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
            auto& home = *workers_[opened.size() % workers_.size()];
            auto listener = std::make_shared<Listener>(Listener{tcp::acceptor(home.loop), key, {}});
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
            listener->address = net::to_text(listener->acceptor.local_endpoint(error));
            opened.emplace(key, listener);
        }
    return opened;
}

static void close_there(std::shared_ptr<Listeners::Listener> listener) {
    const auto home = listener->acceptor.get_executor();
    asio::post(home, [listener = std::move(listener)] {
        net::error_code ignored;
        listener->acceptor.close(ignored);
    });
}

void Listeners::use(Opened opened, std::shared_ptr<const net::Generation> generation) {
    {
        std::lock_guard lock(mutex_);
        generation_ = std::move(generation);
        most_ = 0;
        for (const auto& one : generation_->settings->receive_connectors)
            most_ = most_ ? std::min(most_, one.connections) : one.connections;
    }
    count();
    for (auto& [key, listener] : listeners_)
        if (!opened.contains(key)) close_there(listener);
    for (auto& [key, listener] : opened)
        if (!listeners_.contains(key)) {
            auto loop = accept(listener);
            asio::co_spawn(listener->acceptor.get_executor(), std::move(loop), asio::detached);
        }
    listeners_ = std::move(opened);
}

void Listeners::close() {
    for (auto& [key, listener] : listeners_) close_there(listener);
    listeners_.clear();
}

std::vector<std::string> Listeners::addresses() const {
    std::vector<std::string> all;
    for (const auto& [key, listener] : listeners_) all.push_back(listener->address);
    return all;
}

net::Worker& Listeners::least_loaded() const {
    return **std::min_element(workers_.begin(), workers_.end(),
                              [](auto& a, auto& b) { return a->sessions < b->sessions; });
}

net::awaitable<void> Listeners::accept(std::shared_ptr<Listener> listener) {
    while (listener->acceptor.is_open()) {
        // The socket is its worker's from the start: it lives and dies there.
        auto& worker = least_loaded();
        const asio::any_io_executor there = worker.loop.get_executor();
        auto [error, socket] = co_await listener->acceptor.async_accept(there, net::no_throw);
        if (!error) {
            hand_over(std::move(socket), worker, listener->key);
            continue;
        }
        if (!listener->acceptor.is_open()) co_return;
        if (error == asio::error::connection_aborted) continue;  // it left before we came
        accept_failed(error);
        // Breathe: others will close.
        asio::steady_timer pause(listener->acceptor.get_executor(), std::chrono::milliseconds(100));
        (void)co_await pause.async_wait(net::no_throw);
    }
}

void Listeners::count() {
    std::lock_guard lock(mutex_);
    look();
}

// Many from three quarters of the limit on, or where no descriptor was left within the last minute; few again below
// half.
void Listeners::look() {
    services_.counters.set("postern_sessions_open", {}, static_cast<double>(open_));
    if (short_until_ != net::Deadline{} && std::chrono::steady_clock::now() > short_until_) {
        short_until_ = {};
        services_.alarms.end("descriptors-exhausted", "accept");
    }
    const bool many = short_until_ != net::Deadline{} || open_ * 4 >= most_ * 3 || (crowded_ && open_ * 2 >= most_);
    if (crowded_.exchange(many) == many || !many) return;
    services_.log.warning("crowded",
                          std::to_string(open_) + " connections are open: who is silent has inactivity_under_load");
    if (on_crowd_) on_crowd_();
}

void Listeners::accept_failed(const net::error_code& why) {
    std::lock_guard lock(mutex_);
    services_.alarms.raise("descriptors-exhausted", "accept",
                           "a connection cannot be accepted (" + why.message() + ") with " + std::to_string(open_) +
                               " open: it waits until others end. Raise LimitNOFILE, or lower connections");
    short_until_ = net::within(std::chrono::minutes(1));
    look();
}

net::Admission Listeners::admission(const std::string& source, Counted counted) {
    auto verified = [this, source, counted = std::move(counted)] {
        std::lock_guard lock(mutex_);
        release(source, *counted);
    };
    return {draining_, crowded_, std::move(verified)};
}

// Of those that share a binding the most specific remote range wins.
static const config::ReceiveConnector* connector_for(const config::Settings& settings, const std::string& key,
                                                     const std::string& remote) {
    const config::ReceiveConnector* best = nullptr;
    int best_prefix = -1;
    for (const auto& connector : settings.receive_connectors) {
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

std::string Listeners::take(const config::ReceiveConnector* connector, const std::string& source) {
    if (!connector) return "4.7.1 no receive connector takes connections from your address";
    std::lock_guard lock(mutex_);
    if (open_ >= connector->connections) return "4.7.0 too many connections, try again later";
    auto& held = per_source_[source];
    if (held >= connector->connections_per_source) {
        if (held == 0) per_source_.erase(source);
        return "4.7.0 too many connections from your address";
    }
    ++held;
    ++open_;
    look();
    return {};
}

void Listeners::release(const std::string& source, bool& counted) {
    if (!std::exchange(counted, false)) return;
    const auto held = per_source_.find(source);
    if (--held->second == 0) per_source_.erase(held);
}

void Listeners::give_back(const std::string& source, bool& counted) {
    std::lock_guard lock(mutex_);
    release(source, counted);
    --open_;
    look();
}

void Listeners::hand_over(tcp::socket socket, net::Worker& worker, const std::string& key) {
    net::error_code error;
    const auto remote = socket.remote_endpoint(error);
    if (error) return;
    std::unique_lock lock(mutex_);
    const auto generation = generation_;
    lock.unlock();
    const auto* connector = connector_for(*generation->settings, key, remote.address().to_string());
    const auto source = net::source_of(remote.address());
    if (const auto why = take(connector, source); !why.empty()) {
        services_.log.info("session-refused", net::to_text(remote) + ": " + why);
        auto refusal = net::turn_away(std::move(socket), connector ? connector->fqdn : generation->settings->fqdn, why);
        asio::co_spawn(worker.loop, std::move(refusal), asio::detached);
        return;
    }
    ++worker.sessions;
    auto counted = std::make_shared<bool>(true);
    auto ended = [this, source, counted, &worker](std::exception_ptr failed) {
        --worker.sessions;
        give_back(source, *counted);
        if (failed) services_.log.error("plugin-failed", "a session ended by an exception that nobody caught");
    };
    auto session = net::receive(services_, worker, std::move(socket), connector->name, admission(source, counted));
    asio::co_spawn(worker.loop, std::move(session), std::move(ended));
}

}  // namespace postern::app
