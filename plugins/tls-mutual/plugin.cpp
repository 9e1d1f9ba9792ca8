// tls-mutual as a plugin: descriptor and wiring.
#include <memory>
#include <postern/plugin.hpp>
#include <tls-mutual/cert_verify.hpp>
#include <tls-mutual/engine.hpp>
#include <tls-mutual/judge.hpp>
#include <tls-mutual/trust_scopes.hpp>

namespace {

class TlsMutual : public postern::Plugin {
    std::vector<postern::KeySpec> keys() const override { return postern::tls_mutual::learning_keys(); }
    std::vector<postern::SettingsProblem> check(const postern::SettingsNode& node) const override {
        return postern::tls_mutual::check_learning(node);
    }
    void apply(const postern::SettingsNode& node) override {
        judge_.fetch_by(postern::tls_mutual::learning_rules(node));
    }

    void start(postern::Registrar& registrar) override {
        judge_.use(registrar.host());
        registrar.provide<postern::TlsEngine>(engine_, postern::Runs::inline_);
        registrar.provide<postern::ChainJudge>(judge_);
        registrar.provide<postern::LearningJudge>(judge_);
        verify_ = std::make_unique<postern::tls_mutual::CertVerify>(registrar.host(), judge_);
        registrar.provide<postern::AdminVerbs>(*verify_, postern::Runs::lane, "cert");
    }

    postern::tls_mutual::Engine engine_;
    std::unique_ptr<postern::tls_mutual::CertVerify> verify_;
    postern::tls_mutual::Judge judge_{postern::tls_mutual::debian_system_store};
};

}  // namespace

POSTERN_PLUGIN("tls-mutual", "0.1");
POSTERN_ENTRY(TlsMutual)
