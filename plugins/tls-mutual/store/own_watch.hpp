// Our certificates as they stand: each validated with revocation, as a peer's would be, and spoken of before it ends.
// Those of the store and those that the configuration names by file are watched alike; whose they are it does not know.
//
// Who has them calls look() when they were read, and each hour. Any thread.
#pragma once

#include <mutex>
#include <postern/host.hpp>
#include <set>
#include <tls-mutual/store/choice.hpp>
#include <tls-mutual/store/expiry.hpp>

namespace postern::tls_mutual {

struct WatchedCertificate {
    std::vector<Bytes> chain;  // DER, leaf first
    CertificateFacts leaf;
    std::string title;    // for messages: where it is and whom it names
    std::string renewal;  // what to do before it ends
    bool in_use = true;   // else its end is counted and no more
    bool renews_itself = false;
};

class OwnWatch {
public:
    struct Standing {
        Validation validation = Validation::unknown;
        std::string why;
    };
    // `changed`: what is known of one certificate is another; called without a lock of ours.
    OwnWatch(ChainJudge& judge, std::function<void()> changed) : judge_(judge), changed_(std::move(changed)) {}
    void use(Host& host) { host_ = &host; }

    // All of them: what is not among them is forgotten, with its alarm.
    void look(const std::vector<WatchedCertificate>& all);
    // As it was last found, by the leaf's SHA-256.
    std::optional<Standing> standing(const std::string& sha256) const;

private:
    void note(const std::vector<WatchedCertificate>& all);
    void end_gauges(const std::vector<WatchedCertificate>& all);
    void validate(const std::vector<WatchedCertificate>& all);
    void judged(const std::string& sha256, const std::string& title, Outcome<Judgement> outcome);
    void speak_of_ends(const std::vector<WatchedCertificate>& all);

    ChainJudge& judge_;
    std::function<void()> changed_;
    Host* host_ = nullptr;
    mutable std::mutex mutex_;
    std::map<std::string, Standing> standings_;  // by SHA-256
    std::set<std::string> watched_;              // those that are validated
    std::set<std::string> alarmed_;              // those whose validation fails
    std::set<std::string> measured_;             // those whose end is among the counters
    ToldSteps told_;
};

}  // namespace postern::tls_mutual
