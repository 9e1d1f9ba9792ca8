// A decider that demands TLS 1.3, as plugin: once promised never to block, once left on its lane.
#include <postern/plugin.hpp>

using namespace postern;

namespace {

#ifdef ON_LANE
#define BENCH_NAME "bench-lane"
constexpr Runs runs = Runs::lane;
#else
#define BENCH_NAME "bench-inline"
constexpr Runs runs = Runs::inline_;
#endif

struct Demands : Plugin, Decider {
    void start(Registrar& registrar) override { registrar.provide<Decider>(*this, runs); }
    std::vector<Event> events() const override { return {Event::mail}; }
    Pending<Decision> decide(const Question& question) override {
        Decision decision;
        decision.spoke = true;
        if (question.envelope()->sender_domain().ends_with(".example")) {
            decision.demand.emplace();
            decision.demand->minimum = TlsVersion::tls13;
        }
        return decision;
    }
};

}  // namespace

POSTERN_PLUGIN(BENCH_NAME, "1");
POSTERN_ENTRY(Demands)
