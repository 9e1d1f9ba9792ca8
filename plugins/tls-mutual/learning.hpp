// Issuers that a chain came without: fetched from where its certificates say (authorityInfoAccess). Nothing that comes
// from there is believed for where it came from; what is remembered of it is learned_issuers.hpp's.
#pragma once

#include <postern/fetch.hpp>
#include <postern/host.hpp>
#include <set>
#include <x509/certificate_index.hpp>

namespace postern::tls_mutual {

// The fetches of one judgement: a few URLs, each once.
class IssuerFetch {
public:
    static constexpr std::size_t most_urls = 6;
    using Done = std::function<void(std::vector<x509::Certificate> found)>;

    IssuerFetch(Host& host, FetchRules rules) : host_(host), rules_(std::move(rules)) {}
    // The next URL that was not tried yet, or empty.
    std::string next_url(const x509::Certificate& certificate) { return next_of(certificate.ca_issuer_urls); }
    std::string next_of(const std::vector<std::string>& urls);
    // `done` once, on a thread of the host's pool.
    void fetch(const std::string& url, Done done);
    // What went wrong so far: "http://... : 404; ..."
    const std::string& problems() const { return problems_; }

private:
    std::vector<x509::Certificate> read(const std::string& url, Outcome<FetchAnswer> answer);

    Host& host_;
    FetchRules rules_;
    std::set<std::string> tried_;
    std::string problems_;
};

std::vector<KeySpec> learning_keys();
std::vector<SettingsProblem> check_learning(const SettingsNode& node);
FetchRules learning_rules(const SettingsNode& node);  // of a node that passed check_learning()

}  // namespace postern::tls_mutual
