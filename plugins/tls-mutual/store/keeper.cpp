#include <algorithm>
#include <limits>
#include <tls-mutual/facts.hpp>
#include <tls-mutual/store/automatic.hpp>
#include <tls-mutual/store/expiry.hpp>
#include <tls-mutual/store/keeper.hpp>
#include <tls-mutual/store/token.hpp>
#include <tls-mutual/store/token_calls.hpp>

namespace postern::tls_mutual {
namespace {

constexpr std::chrono::hours between_validations{1};
constexpr std::chrono::hours alarm_before{14 * 24};

std::string title(const StoredCertificate& stored) {
    return stored.leaf.sha256.substr(0, 16) + " (" + joined(names_of(stored.leaf)) + ")";
}

}  // namespace

std::string Keeper::folder() const {
    if (const auto named = host_->settings().text("store"); !named.empty()) return std::string(named);
    const auto state = host_->state_folder();
    return state.empty() ? state : state + "/certificates";
}

void Keeper::apply() {
    TokenCalls::of_process().tell([this](const std::string& token, bool hangs) { token_news(token, hangs); });
    const std::lock_guard alone(looking_);
    read();
}

void Keeper::saw(const Occurrence&) {
    std::uint64_t round = 0;
    {
        const std::lock_guard held(mutex_);
        round = ++round_;
    }
    host_->offload([this, round] { hourly(round); });
}

void Keeper::retire() {
    TokenCalls::of_process().tell({});
    const std::lock_guard held(mutex_);
    ++round_;
}

// A later round has its own timer: after a reload the old one ends here.
void Keeper::hourly(std::uint64_t round) {
    {
        const std::lock_guard held(mutex_);
        if (round != round_) return;
    }
    look();
    host_->after(between_validations, [this, round] { hourly(round); });
}

VerbResult Keeper::take_up() {
    look();
    const std::lock_guard held(mutex_);
    return {0, std::to_string(view_ ? view_->contents.certificates.size() : 0) + " certificates\n", {}};
}

void Keeper::read() {
    const auto path = folder();
    if (path.empty()) return;
    const CertificateStore store(path);
    set_token_pin_file(std::string(host_->settings().text("token_pin")));
    const auto configured = host_->configuration();
    const auto made = keep_automatic(*host_, configured, store);
    if (!made) host_->log(Severity::error, "certificate-store", made.failure.text);
    else if (!made->empty()) host_->log(Severity::info, "certificate-made", *made);
    auto contents = store.read();
    for (const auto& one : contents.damaged) host_->log(Severity::error, "certificate-store", one.text);
    {
        const std::lock_guard held(mutex_);
        asked_to_look_ = false;
        arrange(std::move(contents));
    }
    try_again();
    // What connectors will ask for is loaded now, while nobody waits.
    for (const auto& connector : configured.connectors)
        if (connector.tls && from_store(connector)) prepare(wish_of(connector));
}

void Keeper::look() {
    const std::lock_guard alone(looking_);
    read();
    if (!view_) return;  // no store: nothing but looks makes one
    end_gauges();
    validate();
    speak_of_ends();
    speak_of_connectors();
}

void Keeper::arrange(StoreContents contents) {
    auto view = std::make_unique<View>();
    view->contents = std::move(contents);
    view->good_until = Time::max();
    const auto now = host_->now();
    for (const auto& one : view->contents.certificates) {
        const auto& known = standings_[one.leaf.sha256];
        view->candidates.push_back({&one, known.validation, !unusable_.contains(one.leaf.sha256), known.why});
        for (const auto moment : {one.leaf.not_before, one.leaf.not_after})
            if (moment > now) view->good_until = std::min(view->good_until, moment);
    }
    view_ = std::move(view);
    // Keys of certificates that are gone go with their last session.
    std::erase_if(loaded_, [&](const auto& one) {
        return std::ranges::none_of(view_->contents.certificates, [&](const StoredCertificate& stored) {
            return one.first.starts_with(stored.leaf.sha256);
        });
    });
}

namespace {

// What stands for an identity: the SHA-256 of its certificates.
std::string key_of(const Candidate& first, const Candidate* beside) {
    return first.certificate->leaf.sha256 + (beside ? " " + beside->certificate->leaf.sha256 : "");
}

bool in_token(const Candidate* one) { return one && !one->certificate->about.token_key.empty(); }

}  // namespace

std::string key_subject(const std::string& sha256) { return "key of " + sha256.substr(0, 16); }

// One whose key cannot be had gives way to the next, until a look finds it again.
void Keeper::give_up(const std::string& sha256, const std::string& why) {
    if (!unusable_.insert(sha256).second) return;
    host_->log(Severity::error, "certificate-store", why);
    host_->alarm("own-certificate", key_subject(sha256), why);
    for (auto& candidate : view_->candidates)
        if (candidate.certificate->leaf.sha256 == sha256) candidate.key_present = false;
    view_->chosen.clear();
}

// A signature of a running handshake was waited for in vain, or came at last. Whoever tells may hold any lock.
void Keeper::token_news(const std::string& token, bool hangs) {
    host_->offload([this, token, hangs] {
        if (!hangs) return look();
        const std::lock_guard held(mutex_);
        if (!view_) return;
        for (const auto& one : view_->contents.certificates)
            if (!one.about.token_key.empty() && token_part(one.about.token_key) == token)
                give_up(one.leaf.sha256, one.file + ": " + token +
                                             " does not answer; sessions are shown the next certificate that fits "
                                             "until it does; see p11tool --list-tokens");
    });
}

// Keys that could not be had before, asked again; those of certificates that are gone are forgotten.
void Keeper::try_again() {
    std::vector<StoredCertificate> again;
    {
        const std::lock_guard held(mutex_);
        for (const auto& one : view_->contents.certificates)
            if (unusable_.contains(one.leaf.sha256)) again.push_back(one);
    }
    std::set<std::string> still;
    for (const auto& one : again)
        if (auto made = identity_of(CertificateStore(folder()), one, nullptr); !made) {
            host_->log(Severity::error, "certificate-store", made.failure.text);
            still.insert(one.leaf.sha256);
        }
    const std::lock_guard held(mutex_);
    for (const auto& one : unusable_)
        if (!still.contains(one)) host_->alarm("own-certificate", key_subject(one), {});
    if (std::exchange(unusable_, std::move(still)) != unusable_) arrange(std::move(view_->contents));
}

// Reads keys, asks tokens: without the lock, since those who choose wait for it.
void Keeper::prepare(const CertificateWish& wish) {
    const CertificateStore store(folder());
    for (;;) {
        StoredCertificate first;
        std::optional<StoredCertificate> beside;
        {
            const std::lock_guard held(mutex_);
            const auto ranked = rank(view_->candidates, wish, host_->now());
            if (ranked.empty() || !ranked.front().fits) return;
            const auto* other = companion(ranked);
            if (loaded_.contains(key_of(*ranked.front().candidate, other))) return;
            first = *ranked.front().candidate->certificate;
            if (other) beside = *other->certificate;
        }
        auto made = identity_of(store, first, beside ? &*beside : nullptr);
        const std::lock_guard held(mutex_);
        if (made) {
            loaded_[first.leaf.sha256 + (beside ? " " + beside->leaf.sha256 : "")] = *made;
            return;
        }
        // Which of two it was, the next turn tells: the text names its file.
        const bool other = beside && made.failure.text.find(beside->leaf.sha256) != std::string::npos;
        give_up(other ? beside->leaf.sha256 : first.leaf.sha256, made.failure.text);
    }
}

Ref<Identity> Keeper::pick(const CertificateWish& wish) {
    if (!view_) return {};
    if (host_->now() >= view_->good_until) arrange(std::move(view_->contents));
    const auto asked = std::tuple(wish.fqdn, wish.use, wish.sha256);
    if (const auto known = view_->chosen.find(asked); known != view_->chosen.end()) return known->second;
    auto at_hand = view_->candidates;
    bool waiting = false;
    for (;;) {
        const auto ranked = rank(at_hand, wish, host_->now());
        const auto* first = ranked.empty() || !ranked.front().fits ? nullptr : ranked.front().candidate;
        const auto* beside = companion(ranked);
        auto identity = first ? ready(*first, beside) : Ref<Identity>();
        if (!identity && (in_token(first) || in_token(beside))) {  // asking a token takes time: for now without it
            waiting = true;
            const auto* away = in_token(first) ? first : beside;
            at_hand[static_cast<std::size_t>(away - at_hand.data())].key_present = false;
            continue;
        }
        if (!identity && first) {
            at_hand = view_->candidates;  // what failed is marked there
            continue;
        }
        if (waiting) look_soon();
        else view_->chosen[asked] = identity;
        return identity;
    }
}

// What is loaded, or lies in files. Empty: it is in a token that nobody asked yet, or was found unusable just now.
Ref<Identity> Keeper::ready(const Candidate& first, const Candidate* beside) {
    const auto key = key_of(first, beside);
    if (const auto known = loaded_.find(key); known != loaded_.end()) return known->second;
    if (in_token(&first) || in_token(beside)) return {};
    auto made = identity_of(CertificateStore(folder()), *first.certificate, beside ? beside->certificate : nullptr);
    if (made) return loaded_[key] = *made;
    const bool other = beside && made.failure.text.find(beside->certificate->leaf.sha256) != std::string::npos;
    give_up((other ? *beside : first).certificate->leaf.sha256, made.failure.text);
    return {};
}

void Keeper::look_soon() {
    if (std::exchange(asked_to_look_, true)) return;
    host_->offload([this] { look(); });
}

Ref<TlsIdentity> Keeper::choose(const CertificateWish& wish) {
    const std::lock_guard held(mutex_);
    return Ref<TlsIdentity>(pick(wish));
}

bool Keeper::waits_for_token(const TlsIdentity& identity) {
    return static_cast<const Identity&>(identity).waits_for_token();
}

const CertificateFacts* Keeper::presented(const TlsSession& session) {
    const auto* pair = static_cast<const Session&>(session).presented();
    return pair ? &pair->facts : nullptr;
}

Candidate Keeper::candidate(const StoredCertificate& stored) {
    {
        const std::lock_guard held(mutex_);
        const auto known = standings_.find(stored.leaf.sha256);
        const bool at_hand = !unusable_.contains(stored.leaf.sha256);
        if (view_ && known != standings_.end()) return {&stored, known->second.validation, at_hand, known->second.why};
    }
    if (stored.self_signed()) return tls_mutual::judged(stored, {});
    return tls_mutual::judged(stored, judge_now(*host_, judge_, stored.chain, {}));
}

// ---- validation -----------------------------------------------------------------------------------------------------

// By way of the host: in the daemon the judge is its lane's alone.
void Keeper::validate() {
    std::vector<std::pair<JudgeRequest, std::string>> questions;
    std::set<std::string> asked;
    {
        const std::lock_guard held(mutex_);
        for (const auto& one : view_->contents.certificates) {
            if (one.self_signed()) standings_[one.leaf.sha256] = {Validation::unknown, "self-signed"};
            if (one.self_signed() || !one.about.smtp) continue;
            asked.insert(one.leaf.sha256);
            JudgeRequest request;
            request.chain = one.chain;
            request.may_fetch = true;
            request.at = host_->now();
            questions.emplace_back(std::move(request), title(one));
        }
    }
    forget_others(asked);
    if (questions.empty()) return;
    auto* laned = host_->role<ChainJudge>();
    auto& judge = laned ? *laned : judge_;
    auto trust = host_->configuration().trust;
    trust.name.clear();
    const auto scopes = judge.load_scopes({trust});
    if (!scopes) return host_->log(Severity::error, "certificate-store", scopes.failure.text);
    for (auto& [request, name] : questions) {
        request.scopes = *scopes;
        const auto leaf = read_facts(request.chain.front());
        const auto pending = std::make_shared<Pending<Judgement>>(judge.judge(std::move(request)));
        pending->on_ready([this, pending, sha256 = leaf ? leaf->sha256 : std::string(), called = name] {
            judged(sha256, called, pending->take());
        });
    }
}

// Alarms about certificates that are removed or disabled end.
void Keeper::forget_others(const std::set<std::string>& in_use) {
    std::vector<std::string> ended;
    {
        const std::lock_guard held(mutex_);
        std::erase_if(alarmed_, [&](const std::string& sha256) {
            if (in_use.contains(sha256)) return false;
            ended.push_back(sha256);
            return true;
        });
    }
    for (const auto& sha256 : ended) host_->alarm("own-certificate", sha256.substr(0, 16), {});
}

void Keeper::judged(const std::string& sha256, const std::string& name, Outcome<Judgement> outcome) {
    Keeper::Standing standing;
    if (!outcome) standing.why = outcome.failure.text;
    else if (outcome->standing == postern::Standing::valid) standing.validation = Validation::good;
    else standing.why = outcome->sentence;
    const bool failed = outcome && outcome->standing == postern::Standing::invalid;
    if (failed) standing.validation = Validation::failed;
    bool mended = false;
    {
        const std::lock_guard held(mutex_);
        standings_[sha256] = standing;
        if (view_) arrange(std::move(view_->contents));
        mended = failed ? !alarmed_.insert(sha256).second : alarmed_.erase(sha256) > 0;
    }
    const auto subject = sha256.substr(0, 16);
    if (failed) host_->alarm("own-certificate", subject, "our certificate " + name + " is not valid: " + standing.why);
    else if (mended) host_->alarm("own-certificate", subject, {});
}

// ---- what the operator hears ----------------------------------------------------------------------------------------

void Keeper::speak_of_ends() {
    std::vector<std::string> lines;
    {
        const std::lock_guard held(mutex_);
        for (const auto& one : view_->contents.certificates) {
            const auto ends = std::chrono::duration<double>(one.leaf.not_after.time_since_epoch()).count();
            host_->gauge("postern_own_certificate_not_after_seconds", "sha256=\"" + one.leaf.sha256 + "\"", ends);
            const auto step = expiry_step(one.leaf.not_after, host_->now());
            if (!step || !one.about.smtp || one.about.origin == Origin::automatic) continue;
            const auto told = spoken_.find(one.leaf.sha256);
            if (told != spoken_.end() && told->second <= *step) continue;
            spoken_[one.leaf.sha256] = *step;
            lines.push_back("our certificate " + title(one) +
                            (*step == 0 ? " ended on " : " ends within " + std::to_string(*step) + " days, on ") +
                            utc_day(one.leaf.not_after) + "; renew it: postern cert clone " +
                            one.leaf.sha256.substr(0, 16) + " --request");
        }
    }
    for (const auto& line : lines) host_->log(Severity::warning, "certificate-ending", line);
}

// A time stamp of what was removed would alarm whoever watches for ends.
void Keeper::end_gauges() {
    const std::lock_guard held(mutex_);
    std::set<std::string> there;
    for (const auto& one : view_->contents.certificates) there.insert(one.leaf.sha256);
    for (const auto& gone : measured_)
        if (!there.contains(gone))
            host_->gauge("postern_own_certificate_not_after_seconds", "sha256=\"" + gone + "\"",
                         std::numeric_limits<double>::quiet_NaN());
    measured_ = std::move(there);
}

// Mail of listed domains stops where no certificate is left that a partner may believe.
void Keeper::speak_of_connectors() {
    const auto configured = host_->configuration();
    for (const auto& connector : configured.connectors) {
        const auto& list = connector.kind == ConnectorKind::send ? configured.send_list : configured.receive_list;
        if (!connector.tls || !from_store(connector)) continue;
        std::string why;
        {
            const std::lock_guard held(mutex_);
            const auto ranked = rank(view_->candidates, wish_of(connector), host_->now());
            const auto* best = ranked.empty() || !ranked.front().fits ? nullptr : ranked.front().candidate->certificate;
            if (!best) why = "no certificate of ours fits " + connector.fqdn;
            else if (best->about.origin == Origin::automatic) why = "it has the self-signed certificate alone";
            else if (best->leaf.not_after <= host_->now() + alarm_before)
                why = "its certificate " + title(*best) + " ends on " + utc_day(best->leaf.not_after) +
                      " and there is no later one";
        }
        const bool matters = connector.domain_secure && !list.empty();
        host_->alarm("own-certificate", title_of(connector),
                     why.empty() || !matters ? std::string()
                                             : title_of(connector) + ": " + why + ", so that mail of " + list.front() +
                                                   (list.size() > 1 ? " and others" : "") +
                                                   " stops; see postern cert which --connector " + connector.name);
    }
}

}  // namespace postern::tls_mutual
