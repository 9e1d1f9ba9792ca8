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

bool speaks_of_point(const x509::CertificateList& list, const x509::DistributionPoint& point) {
    const auto& scope = list.distribution_point;
    // A list that somebody else than the certificate's issuer signs is another one than this.
    if (!point.crl_issuer.empty() && !std::ranges::any_of(point.crl_issuer, [&](const GeneralName& name) {
            return name.directory && *name.directory == list.issuer;
        }))
        return false;
    if (!scope || !scope->name) return true;
    const auto scope_names = full_names(*scope->name, list.issuer);
    if (point.name) return share_a_name(full_names(*point.name, list.issuer), scope_names);
    return share_a_name(point.crl_issuer, scope_names);
}

std::uint16_t bits(const std::optional<std::uint16_t>& reasons) { return reasons.value_or(x509::all_reasons); }

}  // namespace

std::uint16_t covered_reasons(const x509::CertificateList& list, const x509::Certificate& certificate,
                              std::string& why) {
    const auto& scope = list.distribution_point;
    const bool ca = certificate.basic_constraints && certificate.basic_constraints->ca;
    if (scope && scope->indirect) {
        why = "it speaks for other issuers too (indirect), which is not judged here";
        return 0;
    }
    // A certificate of version 1 does not say whether it is a CA's.
    const bool user = !ca && certificate.version == 3;
    if (scope && (scope->only_attribute || (scope->only_user && !user) || (scope->only_ca && !ca))) {
        why = "it is for another kind of certificates";
        return 0;
    }
    const auto of_list = scope ? bits(scope->only_reasons) : x509::all_reasons;
    if (certificate.crl_points.empty()) {
        // Found by the issuer's name alone, it must be for all that the issuer issued.
        if (scope && scope->name) why = "it is for another distribution point";
        return scope && scope->name ? 0 : of_list;
    }
    std::uint16_t covered = 0;
    for (const auto& point : certificate.crl_points)
        if (speaks_of_point(list, point)) covered |= static_cast<std::uint16_t>(of_list & bits(point.reasons));
    if (!covered) why = "it is for another distribution point";
    return covered;
}

}  // namespace postern::crl
