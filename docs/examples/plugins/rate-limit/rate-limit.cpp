// So many messages a minute for each listed partner, and for each other sender's address; more is deferred. Something
// that the core does not do. Inline: a look into a bounded table, under a lock that is held for nanoseconds.
#include <charconv>
#include <mutex>
#include <postern/plugin.hpp>
#include <unordered_map>

using namespace postern;

namespace {

constexpr std::size_t most_senders = 100'000;

class RateLimit : public Plugin, public Decider {
public:
    std::vector<KeySpec> keys() const override {
        return {{"partners", KeyKind::number, "600", "Messages a minute from a listed domain."},
                {"others", KeyKind::number, "60", "Messages a minute from one address otherwise."}};
    }
    void start(Registrar& registrar) override {
        host_ = &registrar.host();
        take(host_->settings());
        registrar.provide<Decider>(*this, Runs::inline_);
    }
    void apply(const SettingsNode& settings) override { take(settings); }
    std::vector<Event> events() const override { return {Event::mail}; }

    Pending<Decision> decide(const Question& question) override {
        const auto partner = question.partner();
        const std::string who(partner.empty() ? question.session()->remote_address() : partner);
        const auto minute = std::chrono::duration_cast<std::chrono::minutes>(host_->now().time_since_epoch()).count();
        std::lock_guard lock(mutex_);
        // Strangers choose how many addresses there are: the table is given up rather than the memory.
        if (minute != minute_ || seen_.size() >= most_senders) seen_.clear();
        minute_ = minute;
        Decision decision;
        if (++seen_[who] > (partner.empty() ? others_ : partners_))
            decision.verdict = Verdict::defer("rate: " + who + " sends too much, try again in a minute", "4.7.1", 450);
        return decision;
    }

private:
    static unsigned number(std::string_view text, unsigned otherwise) {
        std::from_chars(text.data(), text.data() + text.size(), otherwise);
        return otherwise;
    }
    void take(const SettingsNode& settings) {
        std::lock_guard lock(mutex_);
        partners_ = number(settings.text("partners"), 600);
        others_ = number(settings.text("others"), 60);
    }

    Host* host_ = nullptr;
    std::mutex mutex_;
    std::unordered_map<std::string, unsigned> seen_;
    std::int64_t minute_ = 0;
    unsigned partners_ = 600, others_ = 60;
};

}  // namespace

POSTERN_PLUGIN("rate-limit", "1.0");
POSTERN_ENTRY(RateLimit)
