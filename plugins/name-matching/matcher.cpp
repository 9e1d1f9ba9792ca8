#include <algorithm>
#include <name-matching/dns_name.hpp>
#include <name-matching/matcher.hpp>

namespace postern::name_matching {
namespace {

struct NameVerdict {
    bool speaks = false;
    std::string why;  // follows the name in a sentence
};

NameVerdict judge_wildcard(const UsableName& name, const std::string& domain, const PublicSuffixes& suffixes) {
    const std::string parent(name.parent());
    if (suffixes.contain(parent)) return {false, "is a wildcard below the public suffix " + parent};
    if (parent == domain) return {true, "is the wildcard of " + domain};
    if (labels_below(domain, parent) == 1) return {true, "is a wildcard whose one label covers " + domain};
    if (labels_below(parent, domain)) return {false, "is a wildcard for a sub-domain of " + domain};
    return {false, "is a wildcard for another domain"};
}

NameVerdict judge_name(const UsableName& name, const std::string& domain, const PublicSuffixes& suffixes) {
    if (name.text == domain) return {true, "is " + domain + " itself"};
    if (name.wildcard) return judge_wildcard(name, domain, suffixes);
    const auto below = labels_below(name.text, domain);
    if (!below) return {false, "is a name of another domain"};
    // What is below a public suffix belongs to strangers, whoever listed the suffix.
    if (suffixes.contain(domain)) return {false, "is below the public suffix " + domain};
    if (*below == 1) return {true, "is one label below " + domain};
    return {false, "is " + (*below == 2 ? std::string("two") : std::to_string(*below)) + " labels below " + domain};
}

NameVerdict judge_exact(const UsableName& name, std::string_view domain) {
    if (name.text == domain) return {true, "is " + std::string(domain) + " itself"};
    return {false, "is not exactly " + std::string(domain)};
}

NameVerdict judge_listed(const UsableName& name, const std::vector<std::string>& listed) {
    if (std::find(listed.begin(), listed.end(), name.text) != listed.end())
        return {true, "is listed in the partner's name rule"};
    return {false, "is not listed in the partner's name rule"};
}

NameVerdict judge(const UsableName& name, const std::string& domain, const NameRule& rule,
                  const PublicSuffixes& suffixes) {
    switch (rule.kind) {
        case NameRuleKind::domain_security:
            return judge_name(name, domain, suffixes);
        case NameRuleKind::exact:
            return judge_exact(name, domain);
        case NameRuleKind::names:
            return judge_listed(name, rule.names);
    }
    return {false, "was asked about under a rule that this matcher does not know"};
}

// Why not, for the first few names: a certificate may hold thousands.
class Refusals {
public:
    void add(std::string_view raw, std::string_view why) {
        if (++count_ > 3) return;
        if (!text_.empty()) text_ += "; ";
        text_ += shown(raw) + " " + std::string(why);
    }
    std::string sentence(std::string_view domain) const {
        auto text = "no name of the certificate speaks for " + shown(domain);
        if (count_ == 0) return text + ": it holds no DNS name";
        text += ": " + text_;
        if (count_ > 3) text += "; and " + std::to_string(count_ - 3) + " more";
        return text;
    }

private:
    std::size_t count_ = 0;
    std::string text_;
};

// RFC 9525 forgot the common name; an old partner may still be known by nothing else.
const std::vector<std::string>* names_of(const CertificateFacts& leaf, const NameRule& rule) {
    const bool fallback =
        rule.cn_fallback && !leaf.has_alternative_names && leaf.dns_names.empty() && leaf.common_names.size() == 1;
    return fallback ? &leaf.common_names : &leaf.dns_names;
}

}  // namespace

NameEvidence Matcher::speaks_for(const CertificateFacts& leaf, std::string_view domain, const NameRule& rule) {
    const std::string reference(domain);
    if (const auto reading = usable_name(domain);
        !reading.name || reading.name->wildcard || reading.name->text != domain)
        return {false, {}, "\"" + shown(domain) + "\" is no canonical domain"};
    Refusals refusals;
    for (const auto& raw : *names_of(leaf, rule)) {
        const auto reading = usable_name(raw);
        if (!reading.name) {
            refusals.add(raw, reading.fault);
            continue;
        }
        auto verdict = judge(*reading.name, reference, rule, suffixes_);
        if (verdict.speaks) return {true, reading.name->text, reading.name->text + " " + verdict.why};
        refusals.add(raw, verdict.why);
    }
    return {false, {}, refusals.sentence(domain)};
}

}  // namespace postern::name_matching
