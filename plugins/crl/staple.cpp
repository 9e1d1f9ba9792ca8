#include <algorithm>
#include <crl/staple.hpp>
#include <x509/ocsp.hpp>
#include <x509/oid.hpp>
#include <x509/path_validation.hpp>

namespace postern::crl {
namespace {

using x509::Certificate;

constexpr auto source = "stapled OCSP";
// Without nextUpdate newer data are always to be had (RFC 6960 2.4): a staple of an hour ago is no answer then.
constexpr std::chrono::minutes without_end{10};

bool signed_by(const x509::OcspResponse& response, const Certificate& responder, Profile profile) {
    return response.names(responder) && x509::verify(responder.spki, response.signature_algorithm, response.tbs,
                                                     response.signature, profile) == x509::SignatureStanding::good;
}

// 4.2.2.2: directly by the issuer's key, in date, for this one purpose. anyExtendedKeyUsage is not enough.
std::string delegate_fault(const Certificate& delegate, const Certificate& issuer, const Terms& terms) {
    if (!(delegate.issuer == issuer.subject)) return "its responder is not the issuer's";
    if (!delegate.extended_usages ||
        std::ranges::find(*delegate.extended_usages, x509::oid::ocsp_signing) == delegate.extended_usages->end())
        return "its responder's certificate is not for OCSP";
    if (!delegate.may(x509::KeyUse::digital_signature)) return "its responder's certificate may not sign (keyUsage)";
    if (!delegate.unknown_critical.empty()) return "its responder's certificate has an unknown critical extension";
    if (terms.at < delegate.not_before || terms.at > delegate.not_after)
        return "its responder's certificate is out of date";
    if (x509::verify(issuer.spki, delegate.signature_algorithm, delegate.tbs, delegate.signature, terms.profile) !=
        x509::SignatureStanding::good)
        return "its responder's certificate is not signed by the issuer";
    return {};
}

std::string responder_fault(const x509::OcspResponse& response, const Certificate& issuer, Deciding& deciding,
                            const Terms& terms) {
    if (signed_by(response, issuer, terms.profile)) return {};
    std::string why = "it is signed neither by the issuer nor by a responder of its";
    for (const auto& delegate : response.certificates) {
        if (!response.names(delegate)) continue;
        why = delegate_fault(delegate, issuer, terms);
        if (!why.empty()) continue;
        if (!signed_by(response, delegate, terms.profile)) {
            why = "its signature does not verify";
            continue;
        }
        if (delegate.ocsp_no_check) return {};
        const auto standing = deciding.decide(delegate).standing;
        if (standing == RevocationStanding::good || standing == RevocationStanding::short_lived) return {};
        why = "whether its responder's certificate still stands is not known";
    }
    return why;
}

Time end_of(const x509::OcspSingle& single) {
    if (single.next_update) return *single.next_update;
    return single.this_update < Time::max() - without_end ? single.this_update + without_end : Time::max();
}

std::string date_fault(const x509::OcspSingle& single, const Terms& terms) {
    if (single.this_update > terms.at + clock_skew) return "it is not valid before " + date(single.this_update);
    const auto until = end_of(single);
    return until < terms.at - clock_skew ? "it ended " + date(until) : "";
}

CertificateRevocation answer_of(const x509::OcspSingle& single, const Certificate& leaf) {
    CertificateRevocation answer;
    answer.source = source;
    answer.valid_until = end_of(single);
    if (single.status == x509::OcspStatus::good) {
        answer.standing = RevocationStanding::good;
        answer.sentence = x509::shown(leaf) + " is good by the stapled OCSP response of " + date(single.this_update);
        return answer;
    }
    const auto reason = static_cast<x509::RevocationReason>(std::min<std::uint64_t>(single.reason.value_or(0), 10));
    const bool hold = reason == x509::RevocationReason::certificate_hold;
    answer.standing = hold ? RevocationStanding::on_hold : RevocationStanding::revoked;
    answer.reason = hold ? "on-hold" : "revoked";
    answer.sentence = x509::shown(leaf) + (hold ? " is on hold since " : " was revoked ") + date(single.revoked) +
                      " (" + std::string(x509::name_of(reason)) + "), says the stapled OCSP response";
    return answer;
}

}  // namespace

StapleSays read_staple(BytesView staple, Deciding& deciding, const Terms& terms) {
    const auto& path = deciding.path();
    if (staple.empty() || path.size() < 2) return {};
    const auto& leaf = path[0];
    const auto& issuer = path[1];
    const auto response = x509::OcspResponse::read(staple);
    if (!response) return {{}, response.failure.text};
    const auto single = std::ranges::find_if(response->answers,
                                             [&](const x509::OcspSingle& one) { return one.speaks_of(leaf, issuer); });
    if (single == response->answers.end()) return {{}, "the stapled OCSP response is about another certificate"};
    std::string fault;
    if (response->unknown_critical || single->unknown_critical) fault = "it has an unknown critical extension";
    else if (single->status == x509::OcspStatus::unknown) fault = "its responder does not know the certificate";
    else if (fault = date_fault(*single, terms); fault.empty())
        fault = responder_fault(*response, issuer, deciding, terms);
    if (!fault.empty()) return {{}, "the stapled OCSP response cannot be used: " + fault};
    return {answer_of(*single, leaf), {}};
}

}  // namespace postern::crl
