#include <config/loader.hpp>

namespace postern::config {

void Loader::partner(const SettingsNode& node) {
    check_keys(node, "partner");
    const auto domain = entry(node, node.value);
    if (domain.empty()) return;
    if (settings_.partners.contains(domain)) problem(node, "a second block for " + domain);
    policy::Partner partner;
    partner.domain = domain;
    partner_policy(node, partner);
    for (const auto& one : node.children)
        if (one.key == "exception") exception(one, partner);
    PartnerTrust trust;
    trust.roots = node.list("roots");
    if (const auto* files = node.find("intermediates"))
        for (const auto& one : files->children) trust_file(one, one.key, trust.intermediate_files);
    settings_.partners.insert_or_assign(domain, std::move(partner));
    settings_.partner_trust.insert_or_assign(domain, std::move(trust));
}

void Loader::partner_policy(const SettingsNode& node, policy::Partner& partner) {
    std::size_t chosen = 0;
    choice(node, "revocation", {"hard", "soft", "off"}, chosen);
    partner.revocation = static_cast<RevocationMode>(chosen + 1);
    chosen = 2;
    choice(node, "revocation_source", {"always", "if-present", "except-short-lived"}, chosen);
    partner.revocation_source = static_cast<RevocationSource>(chosen + 1);
    take(node, "crl_grace", partner.crl_grace, parse_duration, "a duration such as 12h");
    chosen = 0;
    choice(node, "name_rule", {"domain-security", "exact"}, chosen);
    partner.name_rule.kind = static_cast<NameRuleKind>(chosen + 1);
    if (const auto names = node.list("names"); !names.empty()) {
        partner.name_rule.kind = NameRuleKind::names;
        for (const auto& name : names)
            if (const auto canonical = entry(node, name); !canonical.empty())
                partner.name_rule.names.push_back(canonical);
    }
    take(node, "cn_fallback", partner.name_rule.cn_fallback, parse_yes_no, "yes or no");
    take(node, "aia", partner.aia, parse_yes_no, "yes or no");
    take(node, "mutual", partner.mutual_outbound, parse_yes_no, "yes or no");
    chosen = 0;
    choice(node, "purpose", {"connecting", "client"}, chosen);
    partner.purpose = chosen ? Purpose::client : Purpose::connecting;
    choice(node, "speaks_for", {"base"}, chosen);
    partner.speaks_for_base = node.find("speaks_for") != nullptr;
    choice(node, "enforcement", {"script"}, chosen);
    partner.enforcement_script = node.find("enforcement") != nullptr;
    const auto softened = [&](std::string_view key) {
        std::size_t one = 0;
        choice(node, key, {"reject", "defer"}, one);
        return one == 1;
    };
    partner.starttls_required_temporary = softened("starttls_required");
    partner.name_mismatch_temporary = softened("name_mismatch");
    partner.revoked_temporary = softened("revoked");
    text(node, "via", partner.via);
    if (const auto* report = node.find("report_only")) {
        std::string_view day = report->value;
        if (day.starts_with("until ")) day.remove_prefix(6);
        partner.report_only_until = parse_last_day(day);
        if (!partner.report_only_until) problem(*report, "wants \"until YYYY-MM-DD\"");
    }
}

void Loader::exception(const SettingsNode& node, policy::Partner& partner) {
    check_keys(node, "exception");
    policy::Exception exception{};
    std::size_t chosen = 0;
    if (!node.find("allow")) problem(node, "needs allow");
    choice(node, "allow", {"no-tls", "any-certificate", "any-name", "no-revocation"}, chosen);
    exception.allow = static_cast<policy::ExceptionKind>(chosen + 1);
    exception.reason = node.text("reason");
    const auto until = parse_last_day(node.text("until"));
    if (!until) problem(node, "needs until YYYY-MM-DD: an exception ends by itself");
    else exception.until = *until;
    if (exception.reason.empty()) problem(node, "needs a reason");
    if (until && *until < std::chrono::system_clock::now())
        warn(node, "is over since " + std::string(node.text("until")));
    partner.exceptions.push_back(std::move(exception));
}

}  // namespace postern::config
