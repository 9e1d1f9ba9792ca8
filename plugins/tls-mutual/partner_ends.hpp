// Partners' certificates before they end: which are in use the core tells (event partner_certificate); each is counted,
// spoken of at the steps of store/expiry.hpp, and an alarm from 14 days on, until another one stands in its place.
#pragma once

#include <mutex>
#include <postern/host.hpp>
#include <tls-mutual/store/expiry.hpp>

namespace postern::tls_mutual {

class PartnerEnds final : public Observer {
public:
    static constexpr std::size_t most = 20000;
    static constexpr std::chrono::hours forgotten_after{30 * 24};

    void use(Host& host) { host_ = &host; }
    std::vector<Event> events() const override {
        return {Event::partner_certificate, Event::timer, Event::config_reloaded};
    }
    void saw(const Occurrence&) override;

private:
    // Of one partner under one name of his: the one that was seen last.
    struct Certificate {
        std::string partner, name, sha256, subject;
        Life life;
        Time seen{};
    };
    void note(const Occurrence&);
    void look();
    void speak_of(const Certificate&);

    Host* host_ = nullptr;
    std::mutex mutex_;
    std::map<std::string, Certificate> known_;  // by partner and name
    ToldSteps told_;
    Time looked_{};
};

}  // namespace postern::tls_mutual
