// The Fetcher for ldap and ldaps: a queue and a few threads, since libldap blocks. LDAP takes no proxy: it goes direct,
// and each answer says so.
//
// Knows nothing of what is fetched. fetch() only queues, from any thread; answers are given on the fetching threads.
#pragma once

#include <condition_variable>
#include <crl/connection.hpp>
#include <crl/ldap_url.hpp>
#include <deque>
#include <mutex>
#include <thread>

namespace postern::crl {

struct LdapSettings {
    std::vector<LdapServer> servers;  // for URLs without a host, one after the other; named by the operator
    std::vector<std::string> roots;   // PEM files beside the system's roots
};

class LdapFetcher final : public Fetcher {
public:
    LdapFetcher() = default;
    ~LdapFetcher() override { stop(); }

    void configure(LdapSettings settings);
    Pending<FetchAnswer> fetch(FetchRequest request) override;
    void stop();

private:
    static constexpr std::size_t most_at_once = 4, most_waiting = 256;

    struct Waiting {
        FetchRequest request;
        Answer<FetchAnswer> answer;
        std::chrono::steady_clock::time_point deadline;
    };
    void run();
    Outcome<FetchAnswer> serve(const FetchRequest& request, const Limits& limits);
    Outcome<FetchAnswer> ask(const LdapUrl& url, const LdapServer& server, const FetchRules& rules,
                             const Limits& limits);
    Outcome<std::shared_ptr<const TlsTrust>> trust();

    std::mutex mutex_;
    std::condition_variable changed_;
    LdapSettings settings_;
    std::shared_ptr<const TlsTrust> trust_;  // loaded when first needed
    std::deque<Waiting> waiting_;
    std::size_t idle_ = 0;
    bool stopped_ = false;
    Signal stop_;
    std::vector<std::thread> threads_;
};

}  // namespace postern::crl
