// Descriptor and wiring: the checker, its store and flights, the fetcher for LDAP, the `crl` verbs, and the timer that
// refreshes ahead; and who reads which list is noted.
#include <crl/checker.hpp>
#include <crl/files.hpp>
#include <crl/messages.hpp>
#include <crl/proxy_test.hpp>
#include <crl/verbs.hpp>
#include <mutex>
#include <postern/plugin.hpp>

namespace postern::crl {

class Crl final : public Plugin, public Observer {
public:
    std::vector<KeySpec> keys() const override { return crl::keys(); }
    std::vector<SettingsProblem> check(const SettingsNode& node) const override { return crl::check(node); }

    void start(Registrar& registrar) override {
        host_ = &registrar.host();
        store_ = std::make_unique<ListStore>(*host_);
        flights_ = std::make_unique<Flights>(*host_, *store_, &readers_);
        // Commands fetch too, and are never applied.
        const auto settings = crl::read(host_->settings());
        flights_->configure(settings);
        store_->limit(settings.cache_size);
        ldap_ = std::make_unique<LdapFetcher>();
        ldap_->configure(settings.ldap);
        checker_ = std::make_unique<Checker>(*store_, *flights_, &readers_);
        verbs_ = std::make_unique<CrlVerbs>(*host_, *store_, *flights_, readers_, [this] { load_once(); });
        proxy_test_ = std::make_unique<ProxyTest>(*flights_, *host_);
        registrar.provide<RevocationChecker>(*checker_);
        registrar.provide<PooledRevocationChecker>(*checker_);
        registrar.provide<SignerHints>(*checker_, Runs::inline_);
        registrar.provide<Observer>(*this);
        registrar.provide<Fetcher>(*ldap_, Runs::lane, "ldap");
        registrar.provide<Fetcher>(*ldap_, Runs::lane, "ldaps");
        registrar.provide<AdminVerbs>(*verbs_, Runs::lane, "crl");
        registrar.provide<AdminVerbs>(*proxy_test_, Runs::lane, "proxy test");
    }

    std::vector<Event> events() const override { return {Event::partner_certificate}; }
    void saw(const Occurrence& what) override {
        if (const auto seen = sighting(what)) readers_.shown(seen->first, seen->second, host_->now());
    }

    void apply(const SettingsNode& node) override {
        const auto settings = crl::read(node);
        store_->limit(settings.cache_size);
        store_->replace_files(read_files(settings.files, [this](const std::string& text) {
            host_->log(Severity::error, messages::crl_file_unusable, text);
        }));
        flights_->configure(settings);
        ldap_->configure(settings.ldap);
        if (std::exchange(applied_, true)) return;
        load_once();
        flights_->gauges();
        tick();
    }

    void retire() override {
        retired_ = true;
        if (ldap_) ldap_->stop();
        if (flights_) flights_->stop();
    }

private:
    static constexpr std::chrono::seconds between_looks{15};

    void load_once() {
        std::call_once(loaded_, [this] {
            store_->load();
            if (const auto file = readers_file(); !file.empty()) readers_.load(file, host_->now());
        });
    }
    std::string readers_file() const {
        const auto folder = host_->state_folder();
        return folder.empty() ? folder : folder + "/readers";
    }
    void tick() {
        if (retired_) return;
        flights_->refresh_due();
        if (const auto file = readers_file(); !file.empty() && !readers_.save(file, host_->now()))
            host_->log(Severity::error, messages::crl_cache_failed, file + " cannot be written");
        host_->after(between_looks, [this] { tick(); });
    }

    Host* host_ = nullptr;
    Readers readers_;
    std::unique_ptr<ListStore> store_;
    std::unique_ptr<Flights> flights_;
    std::unique_ptr<LdapFetcher> ldap_;
    std::unique_ptr<Checker> checker_;
    std::unique_ptr<CrlVerbs> verbs_;
    std::unique_ptr<ProxyTest> proxy_test_;
    std::once_flag loaded_;
    bool applied_ = false;
    std::atomic<bool> retired_{false};
};

}  // namespace postern::crl

POSTERN_PLUGIN("crl", "0.1");
POSTERN_ENTRY(postern::crl::Crl)
