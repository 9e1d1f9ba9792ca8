#include <algorithm>
#include <net/validating_dns.hpp>

namespace postern::net {

using config::Dnssec;

// A resolver that drops the questions for keys holds validation up for a minute: mail that may go without does not
// wait.
static constexpr std::chrono::milliseconds longest_patience{5000};
static constexpr std::chrono::hours told_for{1};
static constexpr std::size_t most_told = 100;  // within it: a resolver that strips DNSSEC fails for every name

ValidatingDns::ValidatingDns(asio::io_context& loop, const config::Resolver& settings, Log& log, Counters& counters)
    : dnssec_(settings.dnssec), log_(log), counters_(counters) {
    if (dnssec_ != Dnssec::on) plain_.emplace(loop, settings, DnsContext::Validates::no);
    if (dnssec_ == Dnssec::off) return;
    anchor_fault_ = trust_anchor_fault(settings.trust_anchor);
    if (anchor_fault_.empty()) validating_.emplace(loop, settings, DnsContext::Validates::yes);
}

awaitable<Outcome<DnsRecords>> ValidatingDns::ask(std::string name, int number, std::string type,
                                                  std::chrono::milliseconds time) {
    if (dnssec_ == Dnssec::on && !validating_) {
        Failure failure{"4.4.3", "DNS cannot be validated (dnssec on): " + anchor_fault_};
        co_return failure;
    }
    if (!validating_) co_return co_await plain_->ask(name, number, time);
    if (dnssec_ == Dnssec::log) co_return co_await ask_all_the_same(name, number, type, time);
    auto answer = co_await validating_->ask(name, number, time);
    if (!answer || answer->bogus.empty()) co_return answer;
    tell(name, type, answer->bogus);
    Failure failure{"4.4.3", "the DNS answer for " + name + " (" + type + ") is bogus and not used: " + answer->bogus};
    co_return failure;
}

awaitable<Outcome<DnsRecords>> ValidatingDns::ask_all_the_same(std::string name, int number, std::string type,
                                                               std::chrono::milliseconds time) {
    const auto patience = std::min(longest_patience, time / 2);
    auto answer = co_await validating_->ask(name, number, patience);
    if (answer) {
        if (!answer->bogus.empty()) tell(name, type, answer->bogus);
        co_return answer;
    }
    auto unvalidated = co_await plain_->ask(name, number, time - patience);
    if (unvalidated) tell(name, type, "it could not be validated: " + answer.failure.text);
    co_return unvalidated;
}

void ValidatingDns::tell(const std::string& name, const std::string& type, const std::string& why) {
    const bool used = dnssec_ == Dnssec::log;
    counters_.add("postern_dns_bogus_total", label("used", used ? "yes" : "no"));
    bool last = false;
    {
        std::lock_guard lock(mutex_);
        const auto now = std::chrono::steady_clock::now();
        if (now > told_until_) {
            told_.clear();
            told_until_ = now + told_for;
        }
        if (told_.size() >= most_told || !told_.insert(name + " " + type).second) return;
        last = told_.size() == most_told;
    }
    log_.warning("dns-bogus",
                 name + " " + type + ": " + why +
                     (used ? "; used all the same (dnssec log)" : "; not used, its mail waits (dnssec on)") +
                     ". Its operators must mend it, or somebody forges it; a zone of your own belongs into resolver { "
                     "insecure }. Where every name fails, the resolvers strip DNSSEC or trust_anchor is out of date" +
                     (last ? ". More of these are counted alone for an hour (postern_dns_bogus_total)" : ""));
}

}  // namespace postern::net
