#include <algorithm>
#include <crl/scope.hpp>

namespace postern::crl {
namespace {

using x509::DistributionPointName;
using x509::GeneralName;
using x509::GeneralNames;

bool same(const GeneralName& left, const GeneralName& right) {
    if (left.kind != right.kind) return false;
    if (left.directory || right.directory)
        return left.directory && right.directory && *left.directory == *right.directory;
    return left.value == right.value;
}

// Both forms of a name as full names; a relative one hangs below the list's issuer.
GeneralNames full_names(const DistributionPointName& name, const x509::Name& issuer) {
    auto names = name.full;
    if (name.relative)
        if (auto whole = issuer.with_rdn(*name.relative)) names.push_back({x509::NameKind::directory, {}, *whole});
    return names;
}

bool share_a_name(const GeneralNames& left, const GeneralNames& right) {
    return std::ranges::any_of(left, [&](const GeneralName& one) {
        return std::ranges::any_of(right, [&](const GeneralName& other) { return same(one, other); });
    });
}

GeneralNames as_names(const x509::Name& name) { return {{x509::NameKind::directory, {}, name}}; }

// 6.3.3 (b) 1 and 2 (i). Somebody else than the certificate's issuer signs a list only where the certificate says so,
// and where the list says that it speaks for others (indirect).
bool speaks_of_point(const x509::CertificateList& list, const x509::Certificate& certificate,
                     const x509::DistributionPoint& point) {
    const auto& scope = list.distribution_point;
    const bool own = list.issuer == certificate.issuer;
    if (point.crl_issuer.empty() && !own) return false;
    if (!point.crl_issuer.empty()) {
        if (!share_a_name(point.crl_issuer, as_names(list.issuer))) return false;
        if (!own && !(scope && scope->indirect)) return false;
    }
    if (!scope || !scope->name) return true;
    const auto scope_names = full_names(*scope->name, list.issuer);
    if (point.name) return share_a_name(full_names(*point.name, list.issuer), scope_names);
    return share_a_name(point.crl_issuer, scope_names);
}

// Found by the issuer's name alone, it must be for all that the issuer issued.
bool speaks_of_issuer(const x509::CertificateList& list, const x509::Certificate& certificate) {
    const auto& scope = list.distribution_point;
    if (!(list.issuer == certificate.issuer)) return false;
    return !scope || !scope->name || share_a_name(full_names(*scope->name, list.issuer), as_names(certificate.issuer));
}

std::uint16_t bits(const std::optional<std::uint16_t>& reasons) { return reasons.value_or(x509::all_reasons); }

// A point without cRLIssuer promises its issuer's own list. RFC 5280 lets an indirect one of the same issuer stand
// there; but whoever serves one may as well have mixed up two lists: what it revokes is revoked, its silence is
// undecided.
bool may_clear(const x509::CertificateList& list, const x509::DistributionPoint& point) {
    return !(list.distribution_point && list.distribution_point->indirect && point.crl_issuer.empty());
}

}  // namespace

Coverage coverage(const x509::CertificateList& list, const x509::Certificate& certificate) {
    const auto& scope = list.distribution_point;
    const bool ca = certificate.basic_constraints && certificate.basic_constraints->ca;
    // A certificate of version 1 does not say whether it is a CA's.
    const bool user = !ca && certificate.version == 3;
    if (scope && (scope->only_attribute || (scope->only_user && !user) || (scope->only_ca && !ca)))
        return {0, 0, "it is for another kind of certificates"};
    const auto of_list = scope ? bits(scope->only_reasons) : x509::all_reasons;
    Coverage covered;
    if (certificate.crl_points.empty() && speaks_of_issuer(list, certificate))
        covered.reasons = covered.clears = of_list;
    for (const auto& point : certificate.crl_points) {
        if (!speaks_of_point(list, certificate, point)) continue;
        const auto reasons = static_cast<std::uint16_t>(of_list & bits(point.reasons));
        covered.reasons |= reasons;
        if (may_clear(list, point)) covered.clears |= reasons;
    }
    if (!covered.reasons) covered.why = "it is for another distribution point";
    else if (!covered.clears)
        covered.why =
            "it speaks for other issuers too (indirect), and the certificate's distribution point names no cRLIssuer";
    return covered;
}

}  // namespace postern::crl
