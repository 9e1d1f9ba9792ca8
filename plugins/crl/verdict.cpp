#include <algorithm>
#include <crl/scope.hpp>
#include <crl/verdict.hpp>
#include <ctime>
#include <x509/path_validation.hpp>

namespace postern::crl {
namespace {

using x509::Certificate;

// Why nothing better is known; the later ones tell more.
enum class Lack : std::uint8_t { nothing_there, out_of_scope, unverifiable, stale };

}  // namespace

// What is gathered about one certificate.
struct Search {
    const Certificate& certificate;
    Deciding& deciding;
    const Terms& terms;
    std::uint16_t covered = 0;
    Time valid_until = Time::max();
    std::string source, lack_text;
    Lack lack = Lack::nothing_there;
    std::optional<CertificateRevocation> found;
    Time released{};  // the newest delta that took it off hold
    // The newest list with a hold, what those cover; and the usable lists without the serial, what each covers.
    Time held_by{};
    std::uint16_t held_for = 0;
    std::vector<std::pair<Time, std::uint16_t>> without;

    Search(const Certificate& of, Deciding& within, const Terms& by) : certificate(of), deciding(within), terms(by) {}
    void lacks(Lack what, const KnownList& list, const std::string& text) {
        if (what < lack || (what == lack && !lack_text.empty())) return;
        lack = what;
        lack_text = "the list " + list.source() + " cannot be used: " + text;
        source = list.source();
    }
    void look_into(const KnownList& known);
    bool of_another_key(const KnownList& known) const;
    void look_into_delta(const KnownList& known);
    CertificateRevocation answer() const;
    void take_entry(const KnownList& known, const x509::Revocation& entry, std::uint16_t reasons);
    bool hold_has_ended() const;
};

void Search::take_entry(const KnownList& known, const x509::Revocation& entry, std::uint16_t reasons) {
    if (entry.reason == x509::RevocationReason::remove_from_crl) {
        released = std::max(released, known.list.this_update);
        return;
    }
    const bool hold = entry.reason == x509::RevocationReason::certificate_hold;
    if (hold) {
        held_by = std::max(held_by, known.list.this_update);
        held_for |= reasons;
    }
    if (found && hold) return;
    found = CertificateRevocation{};
    found->standing = hold ? RevocationStanding::on_hold : RevocationStanding::revoked;
    found->reason = hold ? "on-hold" : "revoked";
    found->sentence = x509::shown(certificate) + (hold ? " is on hold since " : " was revoked ") + date(entry.date) +
                      " (" + std::string(x509::name_of(entry.reason)) + "), says " + known.source();
    found->source = known.source();
    found->valid_until = known.list.next_update.value_or(terms.at + without_next_update);
}

// Hold is the one state that ends (RFC 5280 5.3.1): by a complete list that lacks the serial, or a delta that says so.
// Either must be newer than the hold, or an old one would undo a new hold.
bool Search::hold_has_ended() const {
    if (found->standing != RevocationStanding::on_hold) return false;
    return released > held_by || std::ranges::any_of(without, [this](const auto& one) {
               return one.first > held_by && (one.second & held_for) == held_for;
           });
}

void Search::look_into(const KnownList& known) {
    const auto& list = known.list;
    if (list.base_number) return;  // says nothing alone
    const auto [reasons, clears, unfit] = coverage(list, certificate);
    if (!reasons) return lacks(Lack::out_of_scope, known, unfit);
    known.touch(terms.at);
    if (!list.unusable.empty()) return lacks(Lack::unverifiable, known, list.unusable);
    std::string why;
    if (!deciding.believed(known, why)) {
        if (why.empty() && of_another_key(known)) return;
        return lacks(Lack::unverifiable, known,
                     why.empty() ? "its signature is by nobody who may sign lists for the issuer \"" +
                                       certificate.issuer.text() + "\" of " + x509::shown(certificate)
                                 : why);
    }
    if (list.this_update > terms.at + clock_skew)
        return lacks(Lack::stale, known, "it is not valid before " + date(list.this_update));
    // What an old list says of a serial stays so: nobody is taken off a list but from hold.
    const auto entry = list.find(certificate.serial, certificate.issuer);
    if (entry) take_entry(known, *entry, reasons);
    const auto until = list.next_update.value_or(terms.at + without_next_update);
    if (until < terms.at - clock_skew - terms.grace)
        return lacks(Lack::stale, known, "it ended " + date(until) + " and no newer one could be had");
    if (!clears) return lacks(Lack::out_of_scope, known, unfit);
    covered |= clears;
    if (!entry) without.emplace_back(list.this_update, clears);
    if (until < valid_until) {
        valid_until = until;
        source = known.source();
    }
}

// A CA keeps its name when it changes its key: a list that states the other key is that one's, not a bad one of ours.
bool Search::of_another_key(const KnownList& known) const {
    const auto& stated = known.list.authority_key_id;
    return !stated.empty() && std::ranges::none_of(deciding.path_, [&](const Certificate& one) {
        return one.subject == certificate.issuer && (one.subject_key_id.empty() || one.subject_key_id == stated);
    });
}

// Only adds to what complete lists said: a serial, or that one on hold is released.
void Search::look_into_delta(const KnownList& known) {
    const auto& list = known.list;
    if (!list.base_number || !list.unusable.empty() || list.this_update > terms.at + clock_skew) return;
    const auto reasons = coverage(list, certificate).reasons;
    std::string ignored;
    if (!reasons || !deciding.believed(known, ignored)) return;
    if (list.next_update && *list.next_update < terms.at - clock_skew - terms.grace) return;
    if (list.next_update) valid_until = std::min(valid_until, *list.next_update);
    if (const auto entry = list.find(certificate.serial, certificate.issuer)) take_entry(known, *entry, reasons);
}

namespace {

// Dates may stand at the ends of what Time can hold (year 9999): never add to one of a certificate or a list.
bool short_lived(const Certificate& certificate) {
    return certificate.not_before >= certificate.not_after - std::chrono::hours(7 * 24);
}

CertificateRevocation without_source(const Certificate& certificate, RevocationSource policy) {
    const auto name = x509::shown(certificate);
    if (policy == RevocationSource::if_present)
        return {RevocationStanding::not_checked, "", name + " names no list, and none is demanded", "", {}};
    if (policy == RevocationSource::except_short_lived && short_lived(certificate))
        return {RevocationStanding::short_lived, "", name + " names no list and lives at most 7 days", "", {}};
    return {RevocationStanding::no_source, "no-crl-source", name + " names no revocation list", "", {}};
}

CertificateRevocation unknown(const Search& search) {
    CertificateRevocation answer;
    const auto name = x509::shown(search.certificate);
    answer.standing = search.lack == Lack::unverifiable ? RevocationStanding::unusable : RevocationStanding::unknown;
    answer.reason = search.lack == Lack::stale          ? "crl-stale"
                    : search.lack == Lack::unverifiable ? "crl-unverifiable"
                                                        : "crl-unreachable";
    answer.source = search.source;
    if (search.lack != Lack::nothing_there) answer.sentence = name + ": " + search.lack_text;
    else if (search.covered) answer.sentence = name + ": the lists at hand do not cover all reasons for revocation";
    else answer.sentence = name + ": its revocation list is not here";
    return answer;
}

}  // namespace

std::string date(Time time) {
    const auto seconds = std::chrono::system_clock::to_time_t(time);
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    char text[32];
    return {text, std::strftime(text, sizeof text, "%Y-%m-%d %H:%MZ", &parts)};
}

// Recursion from a list to its signer's list and on; a real CA needs two.
static constexpr std::size_t deepest = 6, most_signature_checks = 200, most_issuers = 8;

Deciding::Deciding(std::vector<Certificate> path, const std::vector<Certificate>& pool, Lists lists, Terms terms)
    : path_(std::move(path)), lists_(std::move(lists)), terms_(terms), signers_(path_, pool_, terms.at, terms.profile) {
    for (const auto& one : pool) pool_.add(one);
}

std::vector<KnownListRef> Deciding::lists_for(const Certificate& certificate) const {
    auto lists = lists_(certificate.issuer);
    std::vector<const x509::Name*> asked{&certificate.issuer};
    for (const auto* points : {&certificate.crl_points, &certificate.freshest_crl_points})
        for (const auto& point : *points)
            for (const auto& name : point.crl_issuer) {
                if (!name.directory || asked.size() == most_issuers ||
                    std::ranges::any_of(asked, [&](const auto* one) { return *one == *name.directory; }))
                    continue;
                asked.push_back(&*name.directory);
                for (auto& list : lists_(*name.directory)) lists.push_back(std::move(list));
            }
    return lists;
}

bool Deciding::believed(const KnownList& known, std::string& why) {
    why.clear();
    for (const auto& signer : signers_.named(known.list.issuer)) {
        if (++signature_checks_ > most_signature_checks) {
            why = "there are too many certificates under its issuer's name";
            return false;
        }
        if (!known.signed_by(signer.certificate(), terms_.profile)) continue;
        why = fault_of(signer);
        if (why.empty()) return true;
    }
    return false;
}

std::string Deciding::fault_of(const Signer& signer) {
    if (signer.of_judged_path) return {};
    for (std::size_t i = 0; i + 1 < signer.path.size(); ++i) {
        const auto& one = *signer.path[i];
        if (signers_.in_judged_path(one)) continue;  // decided for its own sake
        const auto answer = about(one);
        switch (answer.standing) {
            case RevocationStanding::good:
            case RevocationStanding::short_lived:
            case RevocationStanding::not_checked:
                continue;
            case RevocationStanding::revoked:
            case RevocationStanding::on_hold:
                return "its signer does not stand any more: " + answer.sentence;
            default:
                return "whether its signer still stands is not known: " + answer.sentence;
        }
    }
    return {};
}

CertificateRevocation Deciding::decide(const Certificate& other) {
    pool_.add(other);
    return about(*pool_.holds(other.der()));
}

CertificateRevocation Deciding::about(const Certificate& certificate) {
    const auto [known, fresh] = answers_.try_emplace(&certificate);
    if (!fresh && known->second) return *known->second;
    if (!fresh) return {RevocationStanding::good, "", x509::shown(certificate) + " is being decided", "", Time::max()};
    if (depth_ == deepest) {
        answers_.erase(known);
        return {
            RevocationStanding::unknown, "crl-unverifiable", "too many signers of lists depend on each other", "", {}};
    }
    ++depth_;
    Search search(certificate, *this, terms_);
    const auto lists = lists_for(certificate);
    for (const auto& list : lists) search.look_into(*list);
    for (const auto& list : lists) search.look_into_delta(*list);
    --depth_;
    answers_[&certificate] = search.answer();
    return *answers_[&certificate];
}

CertificateRevocation Search::answer() const {
    if (found && !hold_has_ended()) return *found;
    if ((covered & x509::all_reasons) == x509::all_reasons)
        return {RevocationStanding::good, "", x509::shown(certificate) + " is not on the list " + source, source,
                valid_until};
    if (certificate.crl_points.empty() && lack != Lack::stale && lack != Lack::unverifiable)
        return without_source(certificate, terms.source);
    return unknown(*this);
}

std::vector<const Certificate*> Deciding::undecided() const {
    std::vector<const Certificate*> all;
    for (const auto& [certificate, answer] : answers_)
        if (answer &&
            (answer->standing == RevocationStanding::unknown || answer->standing == RevocationStanding::unusable))
            all.push_back(certificate);
    return all;
}

std::vector<Bytes> Deciding::signers_for(const Certificate& certificate) {
    std::vector<Bytes> all;
    const auto add = [&](const x509::Name& name) {
        for (const auto& signer : signers_.named(name)) {
            const auto der = signer.certificate().der();
            if (all.size() < most_issuers) all.emplace_back(der.begin(), der.end());
        }
    };
    add(certificate.issuer);
    for (const auto& point : certificate.crl_points)
        for (const auto& name : point.crl_issuer)
            if (name.directory && !(*name.directory == certificate.issuer)) add(*name.directory);
    return all;
}

std::vector<std::string> Deciding::delta_urls(const Certificate& certificate) const {
    std::vector<std::string> urls;
    const auto add = [&](const std::vector<x509::DistributionPoint>& points) {
        for (const auto& point : points)
            for (auto& url : point.urls())
                if (urls.size() < most_issuers && std::ranges::find(urls, url) == urls.end())
                    urls.push_back(std::move(url));
    };
    add(certificate.freshest_crl_points);
    for (const auto& known : lists_for(certificate))
        if (!known->list.freshest_crl_points.empty() && coverage(known->list, certificate).reasons)
            add(known->list.freshest_crl_points);
    return urls;
}

}  // namespace postern::crl
