// Loads well and fails in use: every role throws, blocks, answers twice or never, as its settings say.
#include <postern/plugin.hpp>
#include <thread>

using namespace postern;

namespace {

struct Misbehaves : Plugin, NameMatcher, ChainJudge, Delivery, Decider, TlsEngine {
    std::vector<KeySpec> keys() const override { return {{"mode", KeyKind::text, "throw", "What to do when asked."}}; }
    std::vector<SettingsProblem> check(const SettingsNode& settings) const override {
        if (settings.text("mode") == "throw-at-check") throw 1;
        return {};
    }
    void start(Registrar& registrar) override {
        mode_ = registrar.host().settings().text("mode", "throw");
        registrar.provide<NameMatcher>(*this, Runs::inline_);
        registrar.provide<ChainJudge>(*this);
        registrar.provide<Delivery>(*this, Runs::lane, "misbehaves");
        registrar.provide<Decider>(*this, Runs::inline_);
        registrar.provide<TlsEngine>(*this, Runs::inline_);
        registrar.provide("postern.unheard-of.7", "", this, Runs::lane);
    }
    void apply(const SettingsNode&) override {
        if (mode_ == "throw-at-apply") throw 1;
    }
    void retire() override {
        if (mode_ == "throw-at-end") throw 1;
    }
    NameEvidence speaks_for(const CertificateFacts&, std::string_view, const NameRule&) override {
        if (mode_ == "slow-inline") {
            std::this_thread::sleep_for(std::chrono::milliseconds(150));
            return {true, "slow.example", "slowly"};
        }
        throw 1;
    }
    Outcome<Ref<TrustScopes>> load_scopes(const std::vector<TrustScopeFiles>&) override { throw 1; }
    Pending<Judgement> judge(JudgeRequest request) override {
        if (mode_ == "block") {
            std::this_thread::sleep_for(std::chrono::milliseconds(request.crl_grace.count()));
            return Judgement{};
        }
        auto answer = Answer<Judgement>::make();
        if (mode_ == "never") return answer.pending();
        if (mode_ == "twice") {
            Judgement first, second;
            first.sentence = "first";
            second.sentence = "second";
            answer.give(first);
            answer.give(second);
            return answer.pending();
        }
        throw 1;
    }
    Pending<DeliveryResult> deliver(DeliveryRequest) override { throw 1; }
    std::vector<Event> events() const override { return {Event::mail}; }
    Pending<Decision> decide(const Question&) override { throw 1; }
    Outcome<Ref<TlsIdentity>> load(const TlsIdentityFiles&) override { throw 1; }
    Outcome<Ref<TlsSession>> accept(const TlsServerOptions&) override { throw 1; }
    Outcome<Ref<TlsSession>> connect(const TlsClientOptions&) override { throw 1; }

    std::string mode_;
};

}  // namespace

POSTERN_PLUGIN("misbehaves", "1");
POSTERN_ENTRY(Misbehaves)
