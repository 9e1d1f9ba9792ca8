#include <algorithm>
#include <tls-mutual/facts.hpp>
#include <tls-mutual/store/automatic.hpp>
#include <tls-mutual/store/keeper.hpp>
#include <tls-mutual/store/token.hpp>
#include <tls-mutual/store/token_calls.hpp>

namespace postern::tls_mutual {
namespace {

constexpr std::chrono::hours between_validations{1};

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
    auto named = named_files(host_->configuration());
    std::uint64_t round = 0;
    {
        const std::lock_guard held(mutex_);
        named_ = std::move(named);
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
    look_at_files();
    std::vector<WatchedCertificate> all;
    {
        const std::lock_guard held(mutex_);
        all = watched();
    }
    watch_.look(all);
    speak_of_connectors();
}

// Files are read without the lock, since those who choose wait for it.
void Keeper::look_at_files() {
    std::vector<NamedFile> named;
    {
        const std::lock_guard held(mutex_);
        named = named_;
    }
    for (auto& one : named) one.certificate.renewal = renewal_of(one);
    const std::lock_guard held(mutex_);
    for (auto& one : named_)
        for (auto& seen : named)
            if (seen.chain_file == one.chain_file) one.certificate.renewal = std::move(seen.certificate.renewal);
}

void Keeper::arrange(StoreContents contents) {
    auto view = std::make_unique<View>();
    view->contents = std::move(contents);
    view->good_until = Time::max();
    const auto now = host_->now();
    for (const auto& one : view->contents.certificates) {
        const auto known = watch_.standing(one.leaf.sha256).value_or(OwnWatch::Standing{});
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

void Keeper::arrange_again() {
    const std::lock_guard held(mutex_);
    if (view_) arrange(std::move(view_->contents));
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
        const auto known = watch_.standing(stored.leaf.sha256);
        const bool at_hand = !unusable_.contains(stored.leaf.sha256);
        if (view_ && known) return {&stored, known->validation, at_hand, known->why};
    }
    if (stored.self_signed()) return tls_mutual::judged(stored, {});
    return tls_mutual::judged(stored, judge_now(*host_, judge_, stored.chain, {}));
}

// ---- what the operator hears ----------------------------------------------------------------------------------------

std::vector<WatchedCertificate> Keeper::watched() const {
    std::vector<WatchedCertificate> all;
    if (view_)
        for (const auto& one : view_->contents.certificates)
            all.push_back({one.chain, one.leaf, title(one),
                           "renew it: postern cert clone " + one.leaf.sha256.substr(0, 16) + " --request",
                           one.about.smtp, one.about.origin == Origin::automatic});
    for (const auto& one : named_) all.push_back(one.certificate);
    return all;
}

// Why a connector is about to be without a certificate that partners may believe, and what to do; empty where it is
// not.
std::string Keeper::lack_of(const ConnectorView& connector) const {
    const auto ending = [this](const CertificateFacts& leaf) {
        return expiry_alarms({leaf.not_before, leaf.not_after}, host_->now());
    };
    if (!from_store(connector)) {
        const auto named = std::ranges::find(named_, connector.chain_file, &NamedFile::chain_file);
        if (named == named_.end() || !ending(named->certificate.leaf)) return {};
        return "its certificate " + named->certificate.title + " ends on " +
               utc_day(named->certificate.leaf.not_after) + "; " + renewal_of(*named);
    }
    if (!view_) return {};
    const auto remedy = "; see postern cert which --connector " + connector.name;
    const auto ranked = rank(view_->candidates, wish_of(connector), host_->now());
    const auto* best = ranked.empty() || !ranked.front().fits ? nullptr : ranked.front().candidate->certificate;
    if (!best) return "no certificate of ours fits " + connector.fqdn + remedy;
    if (best->about.origin == Origin::automatic) return "it has the self-signed certificate alone" + remedy;
    if (!ending(best->leaf)) return {};
    return "its certificate " + title(*best) + " ends on " + utc_day(best->leaf.not_after) +
           " and there is no later one" + remedy;
}

// Mail of listed domains stops where no certificate is left that a partner may believe.
void Keeper::speak_of_connectors() {
    const auto configured = host_->configuration();
    for (const auto& connector : configured.connectors) {
        const auto& list = connector.kind == ConnectorKind::send ? configured.send_list : configured.receive_list;
        if (!connector.tls) continue;
        std::string why;
        if (connector.domain_secure && !list.empty()) {
            const std::lock_guard held(mutex_);
            why = lack_of(connector);
        }
        if (!why.empty())
            why = "mail of " + list.front() + (list.size() > 1 ? " and others" : "") + " stops, since " + why;
        host_->alarm("own-certificate", title_of(connector), why);
    }
}

}  // namespace postern::tls_mutual
