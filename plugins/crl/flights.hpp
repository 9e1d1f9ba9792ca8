// Fetches: one flight a URL for all who wait, back-off for what failed and for servers that are silent, refresh ahead
// of time. What arrives is decoded, verified and written to disk on a thread of its own, made with the first flight: a
// fetcher's thread has others to serve, and a million entries take a third of a second.
#pragma once

#include <condition_variable>
#include <crl/list_store.hpp>
#include <crl/readers.hpp>
#include <crl/servers.hpp>
#include <crl/settings.hpp>
#include <deque>
#include <set>
#include <thread>

namespace postern::crl {

class Flights {
public:
    // Called once, on whatever thread ends the flight; empty = the list is there, else why not.
    using Done = std::function<void(const std::string& error)>;

    // `readers`: for whom a list is, to be named in alarms; may be null.
    Flights(Host& host, ListStore& store, const Readers* readers = nullptr)
        : host_(host), store_(store), readers_(readers) {}
    ~Flights() { stop(); }
    Flights(const Flights&) = delete;
    Flights& operator=(const Flights&) = delete;
    void configure(Settings settings);

    // `issuers`: DER of the certificates one of which must have signed the list; none: those known of the URL. `force`
    // ignores the back-off, and so does an issuer whose signature nobody has hoped for yet: a CA with a new key.
    void fetch(const std::string& url, const std::vector<Bytes>& issuers, bool force, Done done);
    // Asks the scheme's fetcher under our rules, and does nothing with the answer. `conditional`: only if it changed.
    Pending<FetchAnswer> ask(const std::string& url, bool conditional);
    // A list was taken that came from elsewhere: its failures are over.
    void imported(const std::string& url, const std::string& from);
    // Begins a flight for every list that is due; nobody waits for them. Tells of those that end unless a fetch
    // succeeds.
    void refresh_due();
    void gauges() const;
    // Who still waits is dropped, which the consumer sees as a failure.
    void stop();

private:
    using Arrived = std::shared_ptr<Pending<FetchAnswer>>;
    struct Flight {
        std::vector<x509::Certificate> issuers;
        std::vector<Done> waiting;
    };
    bool rests(const Slot& slot, const std::vector<Bytes>& hoped) const;
    std::string server_rests(const std::string& url, const std::vector<x509::Certificate>& issuers);
    void begin(const std::string& url);
    void tell_of_end(const Slot& slot) const;
    void tell_of_files();
    std::string who_suffers(const std::string& list) const;
    void arrived(const std::string& url, const Arrived& answer);
    void run();
    void landed(const std::string& url, Outcome<FetchAnswer> answer);
    std::string judge(const std::string& url, FetchAnswer& answer, const std::vector<x509::Certificate>& issuers);
    std::string take_in(const std::string& url, Outcome<FetchAnswer>& answer,
                        const std::vector<x509::Certificate>& from);
    void gauge(const std::string& where, const KnownListRef& list) const;

    Host& host_;
    ListStore& store_;
    const Readers* readers_;
    Servers servers_;
    std::mutex mutex_;
    Settings settings_;
    std::map<std::string, Flight> flights_;
    std::condition_variable changed_;
    std::deque<std::pair<std::string, Arrived>> arrived_;
    bool stopped_ = false;
    std::set<std::string> ending_files_;  // of the timer's thread alone
    std::thread thread_;
};

}  // namespace postern::crl
