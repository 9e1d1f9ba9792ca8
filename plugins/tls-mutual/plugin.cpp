// tls-mutual as a plugin: descriptor and wiring.
#include <memory>
#include <postern/plugin.hpp>
#include <tls-mutual/cert_verify.hpp>
#include <tls-mutual/engine.hpp>
#include <tls-mutual/judge.hpp>
#include <tls-mutual/partner_ends.hpp>
#include <tls-mutual/store/cert_verbs.hpp>
#include <tls-mutual/store/keeper.hpp>
#include <tls-mutual/store/token.hpp>
#include <tls-mutual/trust_scopes.hpp>
#include <utility>

namespace {

using namespace postern::tls_mutual;

class TlsMutual : public postern::Plugin {
    std::vector<postern::KeySpec> keys() const override {
        auto all = learning_keys();
        all.push_back({"store", postern::KeyKind::path, "",
                       "Folder of our own certificates and keys; else `certificates` in the plugin's state folder."});
        all.push_back(
            {"token_pin", postern::KeyKind::path, "",
             "File with the PIN of the PKCS#11 token that holds keys; a name without / is a systemd credential."});
        return all;
    }

    std::vector<postern::SettingsProblem> check(const postern::SettingsNode& node) const override {
        return check_learning(node);
    }

    void start(postern::Registrar& registrar) override {
        auto& host = registrar.host();
        host_ = &host;
        judge_.use(host);
        keeper_.use(host);
        partners_.use(host);
        set_token_pin_file(std::string(host.settings().text("token_pin")));
        registrar.provide<postern::TlsEngine>(engine_, postern::Runs::inline_);
        registrar.provide<postern::TlsResumption>(engine_, postern::Runs::inline_);
        registrar.provide<postern::ChainJudge>(judge_);
        registrar.provide<postern::LearningJudge>(judge_);
        registrar.provide<postern::OwnCertificates>(keeper_, postern::Runs::inline_);
        registrar.provide<postern::Observer>(keeper_);
        registrar.provide<postern::Observer>(partners_, postern::Runs::lane, "partner-ends");
        verify_ = std::make_unique<CertVerify>(host, judge_);
        registrar.provide<postern::AdminVerbs>(*verify_, postern::Runs::lane, "cert");
        verbs_ = std::make_unique<CertVerbs>(CertVerbs::Parts{
            host, judge_, keeper_, [this] { return keeper_.folder(); }, [this] { return keeper_.take_up(); }});
        registrar.provide<postern::AdminVerbs>(*verbs_, postern::Runs::lane, "cert-store");
    }

    void apply(const postern::SettingsNode& node) override {
        judge_.fetch_by(learning_rules(node));
        if (const auto state = host_->state_folder(); !state.empty()) judge_.remember_in(state + "/issuers");
        keeper_.apply();
        if (!std::exchange(sweeping_, true)) sweep();
    }
    void retire() override { keeper_.retire(); }

    // Keys are wiped when their time is over, also where nobody connects any more. The host ends it with the plugin.
    void sweep() {
        engine_.sweep();
        host_->after(std::chrono::minutes(5), [this] { sweep(); });
    }

    postern::Host* host_ = nullptr;
    bool sweeping_ = false;
    Engine engine_;
    Judge judge_{debian_system_store};
    Keeper keeper_{judge_};
    PartnerEnds partners_;
    std::unique_ptr<CertVerify> verify_;
    std::unique_ptr<CertVerbs> verbs_;
};

}  // namespace

POSTERN_PLUGIN("tls-mutual", "0.1");
POSTERN_ENTRY(TlsMutual)
