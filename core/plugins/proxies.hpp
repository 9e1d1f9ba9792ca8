// What the core holds instead of a plugin's provider: each call is made on the plugin's lane, guarded against what
// throws, and fails closed. Who waits owns the deadline (net/await.hpp).
#pragma once

#include <base/counters.hpp>
#include <plugins/lane.hpp>
#include <postern/host.hpp>

namespace postern::plugins {

// Runs `call` on the lane; its Pending is passed on, so that the lane is free as soon as the call returned.
template <class T, class Call>
Pending<T> on_lane(Lane& lane, const std::string& plugin, Call call) {
    auto answer = Answer<T>::make();
    auto task = [answer, plugin, call = std::move(call)]() mutable {
        try {
            auto pending = std::make_shared<Pending<T>>(call());
            pending->on_ready([answer, pending] { answer.settle(pending->take()); });
        } catch (...) {
            answer.fail({"plugin-failed", "the plugin " + plugin + " threw"});
        }
    };
    if (!lane.post(std::move(task))) return Failure{"plugin-failed", "the lane of the plugin " + plugin + " is full"};
    return answer.pending();
}

struct LanedDelivery : Delivery {
    LanedDelivery(Delivery& provider, Lane& on, std::string name)
        : inner(provider), lane(on), plugin(std::move(name)) {}
    Pending<DeliveryResult> deliver(DeliveryRequest request) override {
        return on_lane<DeliveryResult>(
            lane, plugin, [this, request = std::move(request)]() mutable { return inner.deliver(std::move(request)); });
    }
    Delivery& inner;
    Lane& lane;
    std::string plugin;
};

struct LanedJudge : ChainJudge {
    LanedJudge(ChainJudge& provider, Lane& on, std::string name) : inner(provider), lane(on), plugin(std::move(name)) {}
    Outcome<Ref<TrustScopes>> load_scopes(const std::vector<TrustScopeFiles>& files) override {
        try {
            return inner.load_scopes(files);
        } catch (...) {
            return Failure{"plugin-failed", "the plugin " + plugin + " threw while it read the roots"};
        }
    }
    Pending<Judgement> judge(JudgeRequest request) override {
        return on_lane<Judgement>(
            lane, plugin, [this, request = std::move(request)]() mutable { return inner.judge(std::move(request)); });
    }
    ChainJudge& inner;
    Lane& lane;
    std::string plugin;
};

struct LanedRevocation : RevocationChecker {
    using List = std::vector<CertificateRevocation>;
    LanedRevocation(RevocationChecker& provider, Lane& on, std::string name)
        : inner(provider), lane(on), plugin(std::move(name)) {}
    Pending<List> check(RevocationRequest request) override {
        return on_lane<List>(
            lane, plugin, [this, request = std::move(request)]() mutable { return inner.check(std::move(request)); });
    }
    std::uint64_t epoch() const override { return inner.epoch(); }
    RevocationChecker& inner;
    Lane& lane;
    std::string plugin;
};

struct LanedFetcher : Fetcher {
    LanedFetcher(Fetcher& provider, Lane& on, std::string name) : inner(provider), lane(on), plugin(std::move(name)) {}
    Pending<FetchAnswer> fetch(FetchRequest request) override {
        return on_lane<FetchAnswer>(
            lane, plugin, [this, request = std::move(request)]() mutable { return inner.fetch(std::move(request)); });
    }
    Fetcher& inner;
    Lane& lane;
    std::string plugin;
};

// Views end with the call, so a decider is always asked inline; what it does later is behind its Pending.
struct GuardedDecider : Decider {
    GuardedDecider(Decider& provider, std::string name) : inner(provider), plugin(std::move(name)) {}
    Pending<Decision> decide(const Question& question) override {
        try {
            return inner.decide(question);
        } catch (...) {
            return Failure{"plugin-failed", "the plugin " + plugin + " threw"};
        }
    }
    Decider& inner;
    std::string plugin;
};

struct GuardedMatcher : NameMatcher {
    explicit GuardedMatcher(NameMatcher& provider) : inner(provider) {}
    NameEvidence speaks_for(const CertificateFacts& leaf, std::string_view domain, const NameRule& rule) override {
        try {
            return inner.speaks_for(leaf, domain, rule);
        } catch (...) {
            return {false, {}, "the plugin name-matching threw"};
        }
    }
    NameMatcher& inner;
};

struct LanedObserver : Observer {
    LanedObserver(Observer& provider, Lane& on, Counters& counts) : inner(provider), lane(on), counters(counts) {}
    void protocol(const std::vector<ProtocolRecord>& records) override {
        auto task = [this, records] {
            try {
                inner.protocol(records);
            } catch (...) {
                counters.add("postern_log_write_failures_total", {}, static_cast<double>(records.size()));
            }
        };
        if (!lane.post(std::move(task)))
            counters.add("postern_observer_dropped_total", {}, static_cast<double>(records.size()));
    }
    Observer& inner;
    Lane& lane;
    Counters& counters;
};

struct LanedVerbs : AdminVerbs {
    LanedVerbs(AdminVerbs& provider, Lane& on, std::string name) : inner(provider), lane(on), plugin(std::move(name)) {}
    std::vector<VerbSpec> verbs() const override { return inner.verbs(); }
    Pending<VerbResult> run(std::vector<std::string> words) override {
        return on_lane<VerbResult>(lane, plugin,
                                   [this, words = std::move(words)]() mutable { return inner.run(std::move(words)); });
    }
    AdminVerbs& inner;
    Lane& lane;
    std::string plugin;
};

}  // namespace postern::plugins
