// Takes one role, as its settings say, and fails in it in one way: throws, blocks until a file is there, answers never,
// twice or nonsense. As a decider it lets mail of unlisted domains pass, so that the daemon's own bounds are seen.
#include <filesystem>
#include <postern/plugin.hpp>
#include <thread>

using namespace postern;

namespace {

class FailsInRole : public Plugin, public NameMatcher, public ChainJudge, public Decider {
public:
    std::vector<KeySpec> keys() const override {
        return {{"role", KeyKind::text, "", "names, judge, decider or inline-decider."},
                {"mode", KeyKind::text, "", "In which way it fails."},
                {"until", KeyKind::path, "", "The file whose coming ends a block."}};
    }
    void start(Registrar& registrar) override {
        const auto& settings = registrar.host().settings();
        mode_ = settings.text("mode");
        until_ = settings.text("until");
        const auto role = settings.text("role");
        if (role == "names") registrar.provide<NameMatcher>(*this, Runs::inline_);
        if (role == "judge") registrar.provide<ChainJudge>(*this);
        if (role == "decider") registrar.provide<Decider>(*this);
        if (role == "inline-decider") registrar.provide<Decider>(*this, Runs::inline_);
    }

    NameEvidence speaks_for(const CertificateFacts&, std::string_view, const NameRule&) override { throw 1; }

    Outcome<Ref<TrustScopes>> load_scopes(const std::vector<TrustScopeFiles>&) override {
        if (mode_ == "throw-at-roots") throw 1;
        return Ref<TrustScopes>();
    }
    Pending<Judgement> judge(JudgeRequest) override {
        Judgement valid;
        valid.standing = Standing::valid;
        return fail(Judgement{}, valid);
    }

    std::vector<Event> events() const override { return {Event::mail}; }
    Pending<Decision> decide(const Question& question) override {
        if (question.partner().empty()) return Decision{};
        Decision refusal;
        refusal.verdict = Verdict::reject("the first answer");
        if (mode_ == "no-reply") refusal.verdict = Verdict::reject("no\r\n250 reply", "2.0.0", 999);
        if (mode_ == "no-verdict") refusal.verdict.kind = static_cast<VerdictKind>(77);
        if (mode_ == "no-effect") refusal.effects.push_back({static_cast<EffectKind>(999), "X", "Y"});
        return fail(refusal, Decision{});
    }

private:
    template <class T>
    Pending<T> fail(T first, T second) {
        if (mode_ == "throw") throw 1;
        if (mode_ == "block")
            while (!std::filesystem::exists(until_)) std::this_thread::sleep_for(std::chrono::milliseconds(20));
        auto answer = Answer<T>::make();
        if (mode_ == "never") return answer.pending();
        answer.give(first);
        if (mode_ == "twice") answer.give(second);
        return answer.pending();
    }

    std::string mode_, until_;
};

}  // namespace

POSTERN_PLUGIN("fails-in-role", "1");
POSTERN_ENTRY(FailsInRole)
