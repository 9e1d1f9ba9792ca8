// A table of known extensions, a small reader each. See extensions.hpp.
#include <algorithm>
#include <array>
#include <x509/extensions.hpp>
#include <x509/oid.hpp>

namespace postern::x509 {
namespace {

constexpr std::size_t extension_limit = 128;
constexpr std::size_t list_limit = 1000;  // distribution points, purposes, access descriptions

// Each reader gets the content of extnValue and answers whether it was well-formed.
using Read = bool (*)(Reader value, bool critical, Certificate&);

bool read_basic_constraints(Reader value, bool, Certificate& certificate) {
    Reader fields(value.expect(tag::sequence));
    BasicConstraints constraints;
    if (auto ca = fields.optional(tag::boolean)) {
        const auto stated = read_boolean(*ca);
        if (!stated) return false;
        constraints.ca = *stated;
    }
    if (auto length = fields.optional(tag::integer))
        if (!(constraints.path_length = read_unsigned(*length))) return false;
    certificate.basic_constraints = constraints;
    return value.finished() && fields.finished();
}

bool read_key_usage(Reader value, bool, Certificate& certificate) {
    const auto bits = read_bit_string(value.expect(tag::bit_string));
    if (!bits || !value.finished()) return false;
    std::uint16_t usage = 0;
    for (unsigned n = 0; n <= 8; ++n)
        if (bits->bit(n)) usage |= static_cast<std::uint16_t>(1u << n);
    certificate.key_usage = usage;
    return true;
}

bool read_extended_usage(Reader value, bool, Certificate& certificate) {
    Reader usages(value.expect(tag::sequence));
    auto& list = certificate.extended_usages.emplace();
    while (usages.more() && list.size() < list_limit) {
        const auto usage = usages.expect(tag::oid);
        if (!is_oid(usage)) return false;
        list.emplace_back(text(usage.content));
    }
    return value.finished() && usages.finished() && !list.empty();
}

bool read_alternative_names(Reader value, bool, Certificate& certificate) {
    certificate.alternative_names = read_general_names(Reader(value.expect(tag::sequence)));
    return value.finished() && certificate.alternative_names.has_value();
}

bool read_subject_key_id(Reader value, bool, Certificate& certificate) {
    const auto id = value.expect(tag::octet_string).content;
    certificate.subject_key_id.assign(id.begin(), id.end());
    return value.finished();
}

bool read_authority_key(Reader value, bool, Certificate& certificate) {
    Reader fields(value.expect(tag::sequence));
    auto& key = certificate.authority_key.emplace();
    if (auto id = fields.optional(tag::context(0))) key.id.assign(id->content.begin(), id->content.end());
    if (auto issuer = fields.optional(tag::context_constructed(1))) {
        auto names = read_general_names(Reader(*issuer));
        if (!names) return false;
        key.issuer = std::move(*names);
    }
    if (auto serial = fields.optional(tag::context(2))) key.serial = text(serial->content);
    return value.finished() && fields.finished();
}

bool read_subtrees(const std::optional<Element>& element, GeneralNames& list) {
    if (!element) return true;
    Reader subtrees(*element);
    while (subtrees.more()) {
        Reader subtree(subtrees.expect(tag::sequence));
        auto name = read_general_name(subtree.any());
        // RFC 5280 4.2.1.10: minimum is always zero (so absent in DER) and maximum absent.
        if (!name || !subtree.finished()) return false;
        list.push_back(std::move(*name));
    }
    return subtrees.finished() && !list.empty();
}

bool read_name_constraints(Reader value, bool, Certificate& certificate) {
    Reader fields(value.expect(tag::sequence));
    auto& constraints = certificate.name_constraints.emplace();
    const auto permitted = fields.optional(tag::context_constructed(0));
    const auto excluded = fields.optional(tag::context_constructed(1));
    return value.finished() && fields.finished() && read_subtrees(permitted, constraints.permitted) &&
           read_subtrees(excluded, constraints.excluded) && (permitted || excluded);
}

bool read_crl_points(Reader value, bool, Certificate& certificate) {
    return read_distribution_points(value, certificate.crl_points);
}
bool read_freshest(Reader value, bool, Certificate& certificate) {
    return read_distribution_points(value, certificate.freshest_crl_points);
}

bool read_access(Reader value, bool, Certificate& certificate) {
    InformationAccess access;
    if (!read_information_access(value, access)) return false;
    certificate.ca_issuer_urls = std::move(access.ca_issuers);
    certificate.ocsp_urls = std::move(access.ocsp);
    return true;
}

// Each policy once; qualifiers are text for a human, and nobody here shows it.
bool read_policies(Reader value, bool, Certificate& certificate) {
    Reader list(value.expect(tag::sequence));
    auto& policies = certificate.policy.policies.emplace();
    while (list.more() && policies.size() < list_limit) {
        Reader fields(list.expect(tag::sequence));
        const auto policy = fields.expect(tag::oid);
        fields.optional(tag::sequence);
        if (!fields.finished() || !is_oid(policy)) return false;
        policies.emplace_back(text(policy.content));
    }
    if (!value.finished() || !list.finished() || policies.empty()) return false;
    auto sorted = policies;
    std::ranges::sort(sorted);
    return std::ranges::adjacent_find(sorted) == sorted.end();
}

bool read_skip_count(Reader& fields, unsigned number, std::optional<std::uint64_t>& count) {
    const auto element = fields.optional(tag::context(number));
    if (!element) return true;
    count = read_unsigned({tag::integer, element->content, element->whole});
    return count.has_value();
}

bool read_policy_constraints(Reader value, bool, Certificate& certificate) {
    Reader fields(value.expect(tag::sequence));
    if (fields.at_end()) return false;  // RFC 5280 4.2.1.11: never empty
    return read_skip_count(fields, 0, certificate.policy.require_explicit) &&
           read_skip_count(fields, 1, certificate.policy.inhibit_mapping) && value.finished() && fields.finished();
}

bool read_policy_mappings(Reader value, bool, Certificate& certificate) {
    Reader list(value.expect(tag::sequence));
    auto& mappings = certificate.policy.mappings;
    while (list.more() && mappings.size() < list_limit) {
        Reader pair(list.expect(tag::sequence));
        const auto from = pair.expect(tag::oid), to = pair.expect(tag::oid);
        if (!pair.finished() || !is_oid(from) || !is_oid(to)) return false;
        mappings.push_back({std::string(text(from.content)), std::string(text(to.content))});
    }
    return value.finished() && list.finished() && !mappings.empty();
}

bool read_inhibit_any_policy(Reader value, bool, Certificate& certificate) {
    certificate.policy.inhibit_any = read_unsigned(value.expect(tag::integer));
    return value.finished() && certificate.policy.inhibit_any.has_value();
}

bool read_ocsp_no_check(Reader value, bool, Certificate& certificate) {
    certificate.ocsp_no_check = true;
    return value.expect(tag::null).content.empty() && value.finished();
}

struct Known {
    std::string_view oid, name;
    Read read;
};
constexpr std::array known_extensions{
    Known{oid::basic_constraints, "basicConstraints", read_basic_constraints},
    Known{oid::key_usage, "keyUsage", read_key_usage},
    Known{oid::extended_key_usage, "extKeyUsage", read_extended_usage},
    Known{oid::subject_alternative_name, "subjectAltName", read_alternative_names},
    Known{oid::subject_key_identifier, "subjectKeyIdentifier", read_subject_key_id},
    Known{oid::authority_key_identifier, "authorityKeyIdentifier", read_authority_key},
    Known{oid::name_constraints, "nameConstraints", read_name_constraints},
    Known{oid::crl_distribution_points, "cRLDistributionPoints", read_crl_points},
    Known{oid::freshest_crl, "freshestCRL", read_freshest},
    Known{oid::authority_information_access, "authorityInfoAccess", read_access},
    Known{oid::certificate_policies, "certificatePolicies", read_policies},
    Known{oid::policy_constraints, "policyConstraints", read_policy_constraints},
    Known{oid::policy_mappings, "policyMappings", read_policy_mappings},
    Known{oid::inhibit_any_policy, "inhibitAnyPolicy", read_inhibit_any_policy},
    Known{oid::ocsp_no_check, "ocspNoCheck", read_ocsp_no_check},
};

}  // namespace

bool read_information_access(Reader value, InformationAccess& access) {
    Reader list(value.expect(tag::sequence));
    for (std::size_t count = 0; list.more() && count < list_limit; ++count) {
        Reader fields(list.expect(tag::sequence));
        const auto method = fields.expect(tag::oid);
        const auto location = read_general_name(fields.any());
        if (!fields.finished() || !is_oid(method) || !location) return false;
        if (location->kind != NameKind::uri) continue;
        if (text(method.content) == oid::ca_issuers) access.ca_issuers.push_back(location->value);
        if (text(method.content) == oid::ocsp) access.ocsp.push_back(location->value);
    }
    return value.finished() && list.finished();
}

std::optional<Extension> read_extension(const Element& element) {
    Reader fields(element);
    const auto id = fields.expect(tag::oid);
    Extension extension{id.content, false, {}};
    if (auto critical = fields.optional(tag::boolean)) {
        // DER omits a default, so only TRUE may stand here; FALSE is common enough in old certificates to be let pass.
        const auto stated = read_boolean(*critical);
        if (!stated) return std::nullopt;
        extension.critical = *stated;
    }
    extension.value = fields.expect(tag::octet_string).content;
    if (!fields.finished() || !is_oid(id)) return std::nullopt;
    return extension;
}

std::string read_extensions(const Element& list, Certificate& certificate) {
    std::vector<std::string_view> seen;
    Reader extensions(list);
    while (extensions.more()) {
        const auto extension = read_extension(extensions.any());
        if (!extension || extensions.failed()) return "an extension is not DER";
        const auto id = text(extension->oid);
        if (std::ranges::find(seen, id) != seen.end()) return "extension " + dotted(extension->oid) + " stands twice";
        if (seen.size() == extension_limit) return "too many extensions";
        seen.push_back(id);
        const auto known = std::ranges::find(known_extensions, id, &Known::oid);
        if (known == known_extensions.end()) {
            if (extension->critical) certificate.unknown_critical.push_back(dotted(extension->oid));
        } else if (!known->read(Reader(extension->value), extension->critical, certificate)) {
            return "extension " + std::string(known->name) + " is malformed";
        }
    }
    return extensions.failed() || seen.empty() ? "the extensions are not DER" : "";
}

}  // namespace postern::x509
