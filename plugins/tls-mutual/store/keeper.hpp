// Our certificates while the daemon runs: read, validated hourly, chosen from, renewed, and spoken of before they end.
//
// What is chosen lies in memory: choose() blocks for nobody. Everything that reads files or waits for a token happens
// in look(), on the thread of whoever said that there is something new. Two threads may meet here.
#pragma once

#include <map>
#include <mutex>
#include <set>
#include <tls-mutual/session.hpp>
#include <tls-mutual/store/command.hpp>
#include <tls-mutual/store/identities.hpp>
#include <tls-mutual/store/named_files.hpp>
#include <tuple>

namespace postern::tls_mutual {

class Keeper final : public OwnCertificates, public Validations, public Observer {
public:
    explicit Keeper(ChainJudge& judge) : judge_(judge), watch_(judge, [this] { arrange_again(); }) {}
    void use(Host& host) {
        host_ = &host;
        watch_.use(host);
    }
    // Where the store is; empty without a configuration.
    std::string folder() const;

    // The daemon's: from now on it keeps the store.
    void apply();
    void retire();
    VerbResult take_up();
    // When the daemon runs and after each reload every plugin has taken its settings up: now it can be validated.
    std::vector<Event> events() const override { return {Event::start, Event::config_reloaded}; }
    void saw(const Occurrence&) override;

    Ref<TlsIdentity> choose(const CertificateWish&) override;
    bool waits_for_token(const TlsIdentity&) override;
    const CertificateFacts* presented(const TlsSession&) override;

    // As it was last found; on the command line judged now, from what is here.
    Candidate candidate(const StoredCertificate&) override;

private:
    // One look at the store; immutable but for the choices made from it.
    struct View {
        StoreContents contents;
        std::vector<Candidate> candidates;
        Time good_until{};  // then a certificate begins or ends
        std::map<std::tuple<std::string, CertificateUse, std::string>, Ref<Identity>> chosen;
    };

    void token_news(const std::string& token, bool hangs);
    void read();  // and what connectors will ask for is ready
    void look();  // beside that all that is to be said of it
    void hourly(std::uint64_t round);
    void arrange(StoreContents contents);                               // wants mutex_
    Ref<Identity> pick(const CertificateWish&);                         // wants mutex_
    Ref<Identity> ready(const Candidate&, const Candidate* companion);  // wants mutex_
    void look_soon();                                                   // wants mutex_
    void try_again();
    void prepare(const CertificateWish&);
    void give_up(const std::string& sha256, const std::string& why);  // wants mutex_
    void arrange_again();
    void look_at_files();
    std::vector<WatchedCertificate> watched() const;  // wants mutex_
    std::string lack_of(const ConnectorView&) const;  // wants mutex_
    void speak_of_connectors();

    ChainJudge& judge_;
    OwnWatch watch_;
    Host* host_ = nullptr;
    std::mutex looking_;  // one look at a time
    std::mutex mutex_;    // what follows
    std::uint64_t round_ = 0;
    std::unique_ptr<View> view_;
    std::map<std::string, Ref<Identity>> loaded_;  // by the SHA-256 of each certificate in it
    std::set<std::string> unusable_;               // certificates whose key could not be had
    std::vector<NamedFile> named_;                 // of the configuration in force
    bool asked_to_look_ = false;
};

}  // namespace postern::tls_mutual
