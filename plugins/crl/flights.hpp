// Fetches: one flight a URL for all who wait, back-off for what failed, refresh ahead of time. What arrives is verified
// by the store before anybody believes it.
#pragma once

#include <crl/list_store.hpp>
#include <crl/settings.hpp>

namespace postern::crl {

class Flights {
public:
    // Called once, on whatever thread ends the flight; empty = the list is there, else why not.
    using Done = std::function<void(const std::string& error)>;

    Flights(Host& host, ListStore& store) : host_(host), store_(store) {}
    void configure(Settings settings);

    // `issuer`: DER of the certificate that must have signed the list. `force` ignores the back-off.
    void fetch(const std::string& url, const Bytes& issuer, bool force, Done done);
    // Begins a flight for every list that is due; nobody waits for them.
    void refresh_due();
    void stop();

private:
    struct Flight {
        std::vector<x509::Certificate> issuers;
        std::vector<Done> waiting;
    };
    void begin(const std::string& url);
    void landed(const std::string& url, Outcome<FetchAnswer> answer);
    std::string judge(const std::string& url, FetchAnswer& answer, const std::vector<x509::Certificate>& issuers);
    void gauges(const std::string& url) const;

    Host& host_;
    ListStore& store_;
    std::mutex mutex_;
    Settings settings_;
    std::map<std::string, Flight> flights_;
    bool stopped_ = false;
};

}  // namespace postern::crl
