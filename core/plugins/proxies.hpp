// What the core holds instead of a plugin's provider: each call is made on the plugin's lane, or inline where that was
// promised, guarded against what throws, and fails closed. Who waits owns the deadline (net/await.hpp).
#pragma once

#include <base/counters.hpp>
#include <base/log.hpp>
#include <chrono>
#include <plugins/kept_question.hpp>
#include <plugins/lane.hpp>
#include <plugins/plugin_set.hpp>
#include <policy/events.hpp>
#include <postern/host.hpp>
#include <postern/learning_judge.hpp>
#include <postern/own_certificates.hpp>
#include <postern/revocation_pool.hpp>
#include <postern/signer_hints.hpp>
#include <postern/tls_resumption.hpp>

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
    if (auto why = lane.post(std::move(task)); !why.empty()) return Failure{"plugin-failed", std::move(why)};
    return answer.pending();
}

// Makes a call that promised not to block, and names whoever broke that promise: it held up every session of a worker.
template <class Call, class Otherwise>
auto inline_call(Log& log, const std::string& plugin, Call call, Otherwise otherwise) -> decltype(call()) {
    const auto began = std::chrono::steady_clock::now();
    const auto watch = [&] {
        const auto took = std::chrono::steady_clock::now() - began;
        if (took > std::chrono::milliseconds(100))
            log.warning("plugin-blocked", plugin + " held a worker for " +
                                              std::to_string(took / std::chrono::milliseconds(1)) +
                                              " ms although it promised not to block");
    };
    try {
        auto result = call();
        watch();
        return result;
    } catch (...) {
        log.error("plugin-failed", "the plugin " + plugin + " threw");
        return otherwise();
    }
}

// A bit an event, so that whoever asks knows at once that nobody listens.
inline std::uint64_t event_bit(Event event) {
    const auto number = static_cast<unsigned>(event);
    return number < 64 ? std::uint64_t{1} << number : 0;
}
inline std::uint64_t event_bits(const std::vector<Event>& events) {
    std::uint64_t bits = 0;
    for (const auto event : events) bits |= event_bit(event);
    return bits;
}

// Sessions made by the engine are called directly: what they throw ends their one session (app/listeners.cpp).
struct GuardedEngine : TlsEngine {
    GuardedEngine(TlsEngine& provider, Log& to, std::string name) : inner(provider), log(to), plugin(std::move(name)) {}
    Outcome<Ref<TlsIdentity>> load(const TlsIdentityFiles& files) override {
        // Reads files, off the workers: no watch.
        try {
            return inner.load(files);
        } catch (...) {
            return thrown();
        }
    }
    Outcome<Ref<TlsSession>> accept(const TlsServerOptions& options) override {
        return inline_call(
            log, plugin, [&] { return inner.accept(options); }, [&] { return Outcome<Ref<TlsSession>>(thrown()); });
    }
    Outcome<Ref<TlsSession>> connect(const TlsClientOptions& options) override {
        return inline_call(
            log, plugin, [&] { return inner.connect(options); }, [&] { return Outcome<Ref<TlsSession>>(thrown()); });
    }
    Failure thrown() const { return {"plugin-failed", "the plugin " + plugin + " threw"}; }
    TlsEngine& inner;
    Log& log;
    std::string plugin;
};

struct GuardedResumption : TlsResumption {
    GuardedResumption(TlsResumption& provider, Log& to, std::string name)
        : inner(provider), log(to), plugin(std::move(name)) {}
    Outcome<Ref<TlsSession>> accept(const TlsServerOptions& options, std::string_view scope) override {
        return inline_call(
            log, plugin, [&] { return inner.accept(options, scope); },
            [&] { return Outcome<Ref<TlsSession>>(thrown()); });
    }
    Outcome<ResumableSession> connect(const TlsClientOptions& options, std::string_view scope, bool anew) override {
        return inline_call(
            log, plugin, [&] { return inner.connect(options, scope, anew); },
            [&] { return Outcome<ResumableSession>(thrown()); });
    }
    void forget(std::string_view scope) override {
        const auto call = [&] {
            inner.forget(scope);
            return true;
        };
        inline_call(log, plugin, call, [] { return false; });
    }
    Failure thrown() const { return {"plugin-failed", "the plugin " + plugin + " threw"}; }
    TlsResumption& inner;
    Log& log;
    std::string plugin;
};

struct GuardedOwnCertificates : OwnCertificates {
    GuardedOwnCertificates(OwnCertificates& provider, Log& to, std::string name)
        : inner(provider), log(to), plugin(std::move(name)) {}
    Ref<TlsIdentity> choose(const CertificateWish& wish) override {
        return inline_call(
            log, plugin, [&] { return inner.choose(wish); }, [] { return Ref<TlsIdentity>(); });
    }
    bool waits_for_token(const TlsIdentity& identity) override {
        return inline_call(
            log, plugin, [&] { return inner.waits_for_token(identity); }, [] { return true; });
    }
    const CertificateFacts* presented(const TlsSession& session) override {
        const CertificateFacts* none = nullptr;
        return inline_call(
            log, plugin, [&] { return inner.presented(session); }, [&] { return none; });
    }
    OwnCertificates& inner;
    Log& log;
    std::string plugin;
};

// Nobody to ask is no leave to go directly: a choice without host or way is refused by the fetcher.
struct GuardedProxyResolver : ProxyResolver {
    GuardedProxyResolver(ProxyResolver& provider, Log& to, std::string name)
        : inner(provider), log(to), plugin(std::move(name)) {}
    ProxyChoice choose(std::string_view url, bool ignore_bypass) override {
        return inline_call(
            log, plugin, [&] { return inner.choose(url, ignore_bypass); },
            [] {
                ProxyChoice none;
                none.direct = false;
                none.why = "the proxy resolver threw";
                return none;
            });
    }
    ProxyResolver& inner;
    Log& log;
    std::string plugin;
};

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

struct LanedLearningJudge : LearningJudge {
    LanedLearningJudge(LearningJudge& provider, Lane& on, std::string name)
        : inner(provider), lane(on), plugin(std::move(name)) {}
    Pending<Judgement> judge_and_learn(JudgeRequest request) override {
        return on_lane<Judgement>(lane, plugin, [this, request = std::move(request)]() mutable {
            return inner.judge_and_learn(std::move(request));
        });
    }
    LearningJudge& inner;
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

struct LanedPooledRevocation : PooledRevocationChecker {
    using List = std::vector<CertificateRevocation>;
    LanedPooledRevocation(PooledRevocationChecker& provider, Lane& on, std::string name)
        : inner(provider), lane(on), plugin(std::move(name)) {}
    Pending<List> check_with_pool(PooledRevocationRequest request) override {
        return on_lane<List>(lane, plugin, [this, request = std::move(request)]() mutable {
            return inner.check_with_pool(std::move(request));
        });
    }
    std::uint64_t pool_epoch() const override { return inner.pool_epoch(); }
    PooledRevocationChecker& inner;
    Lane& lane;
    std::string plugin;
};

struct GuardedSignerHints : SignerHints {
    GuardedSignerHints(SignerHints& provider, Log& to, std::string name)
        : inner(provider), log(to), plugin(std::move(name)) {}
    std::vector<std::string> signer_urls(const std::vector<Bytes>& path) override {
        return inline_call(
            log, plugin, [&] { return inner.signer_urls(path); }, [] { return std::vector<std::string>(); });
    }
    SignerHints& inner;
    Log& log;
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

// Views end with the call: a decider that is asked inline sees them, one on a lane sees a copy.
struct GuardedDecider : Decider {
    GuardedDecider(Decider& provider, Lane& on, Runs where, Log& to, std::string name)
        : inner(provider),
          lane(on),
          runs(where),
          log(to),
          plugin(std::move(name)),
          asked_at(event_bits(inner.events())) {}
    std::vector<Event> events() const override { return inner.events(); }
    Pending<Decision> decide(const Question& question) override {
        if (runs == Runs::lane) return decide_on_lane(question);
        const auto threw = [&] {
            return Pending<Decision>(Failure{"plugin-failed", "the plugin " + plugin + " threw"});
        };
        // Who asks logs what failed, with the session.
        const auto call = [&] {
            try {
                return inner.decide(question);
            } catch (...) {
                return threw();
            }
        };
        return inline_call(log, plugin, call, threw);
    }
    Pending<Decision> decide_on_lane(const Question& question) {
        std::vector<std::string_view> names;
        if (const auto* row = policy::find_event(question.event()))
            for (const auto& detail : row->details) names.push_back(detail.name);
        auto kept = std::make_shared<const KeptQuestion>(question, names);
        return on_lane<Decision>(lane, plugin, [this, kept = std::move(kept)] { return inner.decide(*kept); });
    }
    Decider& inner;
    Lane& lane;
    Runs runs;
    Log& log;
    std::string plugin;
    std::uint64_t asked_at;
};

struct GuardedMatcher : HeldMatcher {
    GuardedMatcher(NameMatcher& provider, Log& to, std::string name)
        : inner(provider), log(to), plugin(std::move(name)) {}
    // Who asks logs what failed, with the session.
    Outcome<NameEvidence> evidence(const CertificateFacts& leaf, std::string_view domain,
                                   const NameRule& rule) override {
        const auto threw = [&] {
            return Outcome<NameEvidence>(Failure{"plugin-failed", "the plugin " + plugin + " threw"});
        };
        const auto call = [&] {
            try {
                return Outcome<NameEvidence>(inner.speaks_for(leaf, domain, rule));
            } catch (...) {
                return threw();
            }
        };
        return inline_call(log, plugin, call, threw);
    }
    NameEvidence speaks_for(const CertificateFacts& leaf, std::string_view domain, const NameRule& rule) override {
        auto found = evidence(leaf, domain, rule);
        if (found) return std::move(*found);
        log.error("plugin-failed", found.failure.text);
        return {false, {}, found.failure.text};
    }
    NameMatcher& inner;
    Log& log;
    std::string plugin;
};

// What watches is told on its lane: what that cannot take is dropped and counted, and nobody waits for it.
template <class Call>
void tell(Lane& lane, Counters& counters, double count, Call call) {
    auto task = [&counters, count, call = std::move(call)] {
        try {
            call();
        } catch (...) {
            counters.add("postern_log_write_failures_total", {}, count);
        }
    };
    if (!lane.post(std::move(task)).empty()) counters.add("postern_observer_dropped_total", {}, count);
}

struct LanedProtocolObserver : ProtocolObserver {
    LanedProtocolObserver(ProtocolObserver& provider, Lane& on, Counters& counts)
        : inner(provider), lane(on), counters(counts) {}
    void protocol(const std::vector<ProtocolRecord>& records) override {
        tell(lane, counters, static_cast<double>(records.size()), [this, records] { inner.protocol(records); });
    }
    ProtocolObserver& inner;
    Lane& lane;
    Counters& counters;
};

struct LanedObserver : Observer {
    LanedObserver(Observer& provider, Lane& on, Counters& counts)
        : inner(provider), lane(on), counters(counts), told_of(event_bits(inner.events())) {}
    std::vector<Event> events() const override { return inner.events(); }
    void saw(const Occurrence& what) override {
        tell(lane, counters, 1, [this, what] { inner.saw(what); });
    }
    Observer& inner;
    Lane& lane;
    Counters& counters;
    std::uint64_t told_of;
};

struct LanedVerbs : AdminVerbs {
    LanedVerbs(AdminVerbs& provider, Lane& on, Log& to, std::string name)
        : inner(provider), lane(on), log(to), plugin(std::move(name)) {}
    std::vector<VerbSpec> verbs() const override {
        try {
            return inner.verbs();
        } catch (...) {
            log.error("plugin-failed", "the plugin " + plugin + " threw while it named its commands");
            return {};
        }
    }
    Pending<VerbResult> run(std::vector<std::string> words) override {
        return on_lane<VerbResult>(lane, plugin,
                                   [this, words = std::move(words)]() mutable { return inner.run(std::move(words)); });
    }
    // For the command line: on the caller's thread, which may block. The lane stays free for what the verb asks of
    // its own plugin's roles.
    Pending<VerbResult> run_here(std::vector<std::string> words) {
        try {
            return inner.run(std::move(words));
        } catch (...) {
            return Failure{"plugin-failed", "the plugin " + plugin + " threw"};
        }
    }
    AdminVerbs& inner;
    Lane& lane;
    Log& log;
    std::string plugin;
};

}  // namespace postern::plugins
