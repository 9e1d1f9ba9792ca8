#include <algorithm>
#include <charconv>
#include <tls-mutual/store/choice.hpp>
#include <tls-mutual/store/dns_names.hpp>
#include <tls-mutual/store/naming.hpp>
#include <tls-mutual/store/text.hpp>

namespace postern::tls_mutual {
namespace {

constexpr std::size_t longest_common_name = 64, most_names = 1000;
constexpr long longest_days = 3653;

Failure wrong(std::string text) { return {"usage", std::move(text)}; }

// Gathers names in the order of importance; the first fault ends it.
class Naming {
public:
    Naming(const Arguments& arguments, const ConfigurationView& view, const CertificateFacts* like)
        : arguments_(arguments), view_(view), like_(like) {}

    Outcome<NamedTerms> terms() {
        for (auto step : {&Naming::subject, &Naming::connector, &Naming::domains, &Naming::accepted_domains,
                          &Naming::names_of_the_model, &Naming::common_name, &Naming::purposes, &Naming::lifetime})
            if (auto failure = (this->*step)()) return *failure;
        if (result_.terms.dns_names.size() > most_names) return wrong("more than 1000 names; no CA signs that");
        return std::move(result_);
    }

private:
    void warn(std::string text) { result_.warnings.push_back(std::move(text)); }

    // A name joins once.
    std::optional<Failure> join(std::string_view typed) {
        auto name = check_dns_name(typed);
        if (!name) return name.failure;
        auto& names = result_.terms.dns_names;
        if (std::ranges::find(names, name->name) != names.end()) return std::nullopt;
        names.push_back(name->name);
        if (!name->unicode.empty()) result_.shown.push_back(name->name + " (" + name->unicode + ")");
        for (auto& warning : name->warnings) warn(std::move(warning));
        return std::nullopt;
    }

    std::optional<Failure> subject();
    std::optional<Failure> join_common_name(const std::string& name, bool alone);
    std::optional<Failure> connector();
    std::optional<Failure> domains();
    std::optional<Failure> accepted_domains();
    std::optional<Failure> names_of_the_model();
    std::optional<Failure> common_name();
    std::optional<Failure> purposes();
    std::optional<Failure> lifetime();

    const Arguments& arguments_;
    const ConfigurationView& view_;
    const CertificateFacts* like_;
    NamedTerms result_;
};

std::optional<Failure> Naming::subject() {
    const auto typed = arguments_.value("--subject", like_ ? std::string_view(like_->subject) : std::string_view());
    if (typed.empty()) return std::nullopt;
    auto name = parse_distinguished_name(typed);
    if (!name && like_ && !arguments_.has("--subject"))
        return wrong("the subject " + like_->subject + " cannot be taken over as it is; give --subject");
    if (!name) return name.failure;
    result_.terms.subject = std::move(*name);
    auto& subject = result_.terms.subject;
    for (const auto& warning : subject.warnings) warn(warning);
    if (!subject.long_common_name.empty()) return join_common_name(subject.long_common_name, true);
    const auto common = subject.common_name();
    return common.empty() ? std::nullopt : join_common_name(common, false);
}

// The CN is a name too where it is a valid one; over 64 characters it can stand among the names alone.
std::optional<Failure> Naming::join_common_name(const std::string& name, bool alone) {
    const bool ascii = std::ranges::all_of(name, [](char c) { return (c & 0x80) == 0; });
    const auto checked = check_dns_name(name);
    if (alone && (!checked || !ascii))
        return wrong("--subject: the CN has over 64 characters and is no DNS name, so that it fits nowhere: " + name);
    if (alone) {
        warn("the CN has over 64 characters: it stands among the alternative names alone");
        return join(name);
    }
    if (auto look_alike = seems_a_name(name); !look_alike.empty()) warn(std::move(look_alike));
    else if (!checked || !ascii || name.find('.') == std::string::npos)
        warn("the CN " + name + " is no DNS name of a host and does not join the names");
    else return join(name);
    return std::nullopt;
}

// What that connector needs: its own name, and with Domain Security every domain that we speak for. A receive and a
// send connector may have one name.
std::optional<Failure> Naming::connector() {
    const auto wanted = arguments_.value("--connector");
    if (wanted.empty()) return std::nullopt;
    std::vector<std::string> known;
    bool found = false, secure = false;
    for (const auto& one : view_.connectors) {
        known.push_back(one.name);
        if (one.name != wanted) continue;
        found = true;
        secure = secure || one.domain_secure;
        if (auto failure = join(one.fqdn)) return failure;
    }
    if (!found)
        return wrong("no connector is called " + wanted +
                     (known.empty() ? "; there is no configuration to look in" : "; there are " + joined(known)));
    for (const auto& domain : secure ? view_.accepted_domains : std::vector<std::string>())
        if (auto failure = join(domain)) return failure;
    return std::nullopt;
}

std::optional<Failure> Naming::domains() {
    for (const auto& typed : arguments_.values("--domain"))
        if (auto failure = join(typed)) return failure;
    return std::nullopt;
}

std::optional<Failure> Naming::accepted_domains() {
    if (!arguments_.has("--include-accepted-domains")) return std::nullopt;
    if (view_.accepted_domains.empty())
        return wrong("--include-accepted-domains: no configuration names an accepted_domain; use --domain");
    for (const auto& domain : view_.accepted_domains)
        if (auto failure = join(domain)) return failure;
    return std::nullopt;
}

std::optional<Failure> Naming::names_of_the_model() {
    if (!like_) return std::nullopt;
    for (const auto& name : names_of(*like_))
        if (auto failure = join(name)) return failure;
    return std::nullopt;
}

// Where no CN was given it is the host's name, as the paper's cmdlet does it.
std::optional<Failure> Naming::common_name() {
    auto& terms = result_.terms;
    const bool given = arguments_.has("--subject") || like_;
    if (!given && terms.dns_names.empty() && !view_.fqdn.empty())
        if (auto failure = join(view_.fqdn)) return failure;
    if (terms.dns_names.empty())
        return wrong("the certificate would hold no DNS name: give --domain, --connector or a CN that is one");
    if (!given) {
        const auto fits = [](const std::string& name) { return name.size() <= longest_common_name; };
        const auto first = std::ranges::find_if(terms.dns_names, fits);
        if (first != terms.dns_names.end()) terms.subject.values.push_back({NamePart::common, *first});
    }
    if (terms.subject.values.empty())
        return wrong(
            "the subject would be empty, since the CN has over 64 characters: give it another part, such as O=");
    for (const auto& name : terms.dns_names) terms.subject.order_components(name);
    return std::nullopt;
}

std::optional<Failure> Naming::purposes() {
    const auto wanted = arguments_.value("--purpose", "both");
    if (wanted != "both" && wanted != "server" && wanted != "client")
        return wrong("--purpose knows both, server and client, not " + wanted);
    result_.terms.server = wanted != "client";
    result_.terms.client = wanted != "server";
    return std::nullopt;
}

std::optional<Failure> Naming::lifetime() {
    const auto typed = arguments_.value("--days");
    if (typed.empty()) return std::nullopt;
    long days = 0;
    const auto end = std::from_chars(typed.data(), typed.data() + typed.size(), days);
    if (end.ec != std::errc() || end.ptr != typed.data() + typed.size() || days < 1 || days > longest_days)
        return wrong("--days takes a number from 1 to 3653, not " + typed);
    result_.terms.lifetime = std::chrono::hours(24 * days);
    return std::nullopt;
}

}  // namespace

Outcome<NamedTerms> name_terms(const Arguments& arguments, const ConfigurationView& view,
                               const CertificateFacts* like) {
    return Naming(arguments, view, like).terms();
}

}  // namespace postern::tls_mutual
