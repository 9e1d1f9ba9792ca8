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

struct Search {
    const Certificate& certificate;
    std::span<const Certificate> path;
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

    void lacks(Lack what, const KnownList& list, const std::string& text) {
        if (what < lack || (what == lack && !lack_text.empty())) return;
        lack = what;
        lack_text = "the list " + list.source() + " cannot be used: " + text;
        source = list.source();
    }
    void look_into(const KnownList& known);
    bool believed(const KnownList& known) const;
    bool of_another_key(const KnownList& known) const;
    void look_into_delta(const KnownList& known);
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
    std::string why;
    const auto reasons = covered_reasons(list, certificate, why);
    if (!reasons) return lacks(Lack::out_of_scope, known, why);
    known.touch(terms.at);
    if (!list.unusable.empty()) return lacks(Lack::unverifiable, known, list.unusable);
    if (!believed(known)) {
        if (of_another_key(known)) return;
        return lacks(Lack::unverifiable, known,
                     "its signature is not by the certificate's issuer " + x509::shown(path.front()));
    }
    if (list.this_update > terms.at + clock_skew)
        return lacks(Lack::stale, known, "it is not valid before " + date(list.this_update));
    // What an old list says of a serial stays so: nobody is taken off a list but from hold.
    const auto entry = list.find(certificate.serial, certificate.issuer);
    if (entry) take_entry(known, *entry, reasons);
    const auto until = list.next_update.value_or(std::max(list.this_update, terms.at) + without_next_update);
    if (until + clock_skew + terms.grace < terms.at)
        return lacks(Lack::stale, known, "it ended " + date(until) + " and no newer one could be had");
    covered |= reasons;
    if (!entry) without.emplace_back(list.this_update, reasons);
    if (until < valid_until) {
        valid_until = until;
        source = known.source();
    }
}

bool Search::believed(const KnownList& known) const {
    return std::ranges::any_of(path, [&](const Certificate& one) {
        return one.subject == certificate.issuer && known.signed_by(one, terms.profile);
    });
}

// A CA keeps its name when it changes its key: a list that states the other key is that one's, not a bad one of ours.
bool Search::of_another_key(const KnownList& known) const {
    const auto& stated = known.list.authority_key_id;
    return !stated.empty() && std::ranges::none_of(path, [&](const Certificate& one) {
        return one.subject == certificate.issuer && (one.subject_key_id.empty() || one.subject_key_id == stated);
    });
}

// Only adds to what complete lists said: a serial, or that one on hold is released.
void Search::look_into_delta(const KnownList& known) {
    const auto& list = known.list;
    std::string ignored;
    if (!list.base_number || !list.unusable.empty() || list.this_update > terms.at + clock_skew) return;
    const auto reasons = covered_reasons(list, certificate, ignored);
    if (!reasons || !believed(known)) return;
    if (list.next_update && *list.next_update + clock_skew + terms.grace < terms.at) return;
    if (const auto entry = list.find(certificate.serial, certificate.issuer)) take_entry(known, *entry, reasons);
}

bool short_lived(const Certificate& certificate) {
    return certificate.not_after - certificate.not_before <= std::chrono::hours(7 * 24);
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

CertificateRevocation decide(const Certificate& certificate, std::span<const Certificate> path,
                             const std::vector<KnownListRef>& lists, const Terms& terms) {
    Search search{certificate, path, terms, 0, Time::max(), {}, {}, Lack::nothing_there, std::nullopt, {}, {}, 0, {}};
    for (const auto& list : lists) search.look_into(*list);
    for (const auto& list : lists) search.look_into_delta(*list);
    if (search.found && !search.hold_has_ended()) return *search.found;
    if ((search.covered & x509::all_reasons) == x509::all_reasons)
        return {RevocationStanding::good, "", x509::shown(certificate) + " is not on the list " + search.source,
                search.source, search.valid_until};
    if (certificate.crl_points.empty() && search.lack != Lack::stale && search.lack != Lack::unverifiable)
        return without_source(certificate, terms.source);
    return unknown(search);
}

}  // namespace postern::crl
