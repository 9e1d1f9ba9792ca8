// Queue, threads, and one fetch with its servers; see ldap_fetcher.hpp. Start at serve().
#include <crl/ldap_fetcher.hpp>
#include <crl/ldap_search.hpp>
#include <system_error>

namespace postern::crl {
namespace {

// libber holds an answer whole, and the list is copied out of it: four at once stay below 256 MB.
constexpr std::uint64_t largest_answer = 32u << 20;

Failure failed(std::string text) { return {"crl-unreachable", std::move(text)}; }

std::string host_and_port(const LdapServer& server) {
    const bool brackets = server.host.find(':') != std::string::npos;
    return (server.tls ? "ldaps://" : "ldap://") + (brackets ? "[" + server.host + "]" : server.host) + ":" +
           std::to_string(server.port);
}

}  // namespace

void LdapFetcher::configure(LdapSettings settings) {
    std::lock_guard lock(mutex_);
    settings_ = std::move(settings);
    trust_ = nullptr;  // a root may have been replaced in place
}

Pending<FetchAnswer> LdapFetcher::fetch(FetchRequest request) {
    const auto answer = Answer<FetchAnswer>::make();
    const auto deadline = std::chrono::steady_clock::now() + request.rules.timeout;
    std::lock_guard lock(mutex_);
    if (stopped_) return failed("the fetcher is shutting down");
    if (waiting_.size() >= most_waiting) return failed("too many fetches at once");
    if (idle_ <= waiting_.size() && threads_.size() < most_at_once) try {
            threads_.emplace_back([this] { run(); });
        } catch (const std::system_error&) {
            if (threads_.empty()) return failed("no thread is left to fetch");
        }
    waiting_.push_back({std::move(request), answer, deadline});
    changed_.notify_one();
    return answer.pending();
}

void LdapFetcher::stop() {
    decltype(waiting_) dropped;
    {
        std::lock_guard lock(mutex_);
        stopped_ = true;
        dropped.swap(waiting_);
    }
    stop_.raise();
    changed_.notify_all();
    for (auto& thread : threads_)
        if (thread.joinable()) thread.join();
    for (const auto& one : dropped) one.answer.fail(failed("the fetcher is shutting down"));
}

void LdapFetcher::run() {
    std::unique_lock lock(mutex_);
    for (;;) {
        ++idle_;
        changed_.wait(lock, [this] { return stopped_ || !waiting_.empty(); });
        --idle_;
        if (stopped_) return;
        auto one = std::move(waiting_.front());
        waiting_.pop_front();
        lock.unlock();
        try {
            one.answer.settle(serve(one.request, {one.deadline, &stop_}));
        } catch (const std::exception& fault) {
            one.answer.fail(failed(printable(one.request.url) + ": " + fault.what()));
        }
        lock.lock();
    }
}

Outcome<std::shared_ptr<const TlsTrust>> LdapFetcher::trust() {
    std::lock_guard lock(mutex_);
    if (trust_) return trust_;
    auto loaded = TlsTrust::load(settings_.roots);
    if (loaded) trust_ = *loaded;
    return loaded;
}

Outcome<FetchAnswer> LdapFetcher::serve(const FetchRequest& request, const Limits& limits) {
    const auto url = LdapUrl::parse(request.url);
    if (!url) return url.failure;
    const auto refused = [&](const std::string& why) {
        return failed(printable(url->text) + " (LDAP takes no proxy): " + why);
    };
    std::vector<LdapServer> named;
    {
        std::lock_guard lock(mutex_);
        named = settings_.servers;
    }
    auto rules = request.rules;
    rules.bytes = std::min(rules.bytes, largest_answer);
    for (const auto& one : named) rules.allowed_hosts.push_back(one.host);
    std::vector<LdapServer> servers{url->server};
    if (url->server.host.empty()) {
        if (named.empty()) return refused("it names no server, and ldap_hosts names none either");
        servers = named;
        for (auto& one : servers)
            if (url->server.tls && !one.tls) one = {true, one.host, one.port == 389 ? std::uint16_t{636} : one.port};
    } else if (auto why = refusal(url->server.host, url->server.port, url->server.own_port(), rules)) {
        return refused(*why);
    }
    std::string told;
    auto left = servers.size();
    bool silent = true;
    for (const auto& server : servers) {
        auto answer = ask(*url, server, rules, limits.at_most(limits.left() / static_cast<int>(left--)));
        if (answer) return answer;
        silent &= answer.failure.token == host_unreachable;
        told += (told.empty() ? "" : "; ") + host_and_port(server) + ": " + answer.failure.text;
    }
    // In parentheses what tells of our side: whoever answers strangers leaves it out.
    auto none = failed(printable(url->text) + " (LDAP takes no proxy; " + told + "): no directory gave it");
    if (silent) none.token = host_unreachable;
    return none;
}

Outcome<FetchAnswer> LdapFetcher::ask(const LdapUrl& url, const LdapServer& server, const FetchRules& rules,
                                      const Limits& limits) {
    const auto addresses = look_up(server.host, server.port, limits);
    if (!addresses) return Failure{std::string(host_unreachable), addresses.failure.text};
    const bool private_allowed = rules.allow_private || named_by_operator(server.host, rules);
    for (const auto& address : *addresses)
        if (!private_allowed && !is_public_address(address.octets()))
            return failed("it leads to " + address.text() + ", which is not public");
    auto connection = Connection::open(*addresses, limits);
    if (!connection) return Failure{std::string(host_unreachable), connection.failure.text};
    auto& opened = **connection;
    const auto way = "direct to " + opened.peer() + " (LDAP takes no proxy)";
    if (server.tls) {
        auto roots = trust();
        if (!roots) return roots.failure;
        if (const auto why = opened.start_tls(server.host, *roots); !why.empty()) return failed(way + ": " + why);
    }
    auto body = search(opened, url, rules.bytes);
    if (!body)
        return Failure{std::string(opened.heard() ? "crl-unreachable" : host_unreachable),
                       way + ": " + body.failure.text};
    FetchAnswer answer;
    answer.body = std::move(*body);
    answer.way = way;
    return answer;
}

}  // namespace postern::crl
