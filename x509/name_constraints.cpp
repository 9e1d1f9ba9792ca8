#include <algorithm>
#include <unordered_set>
#include <x509/name_constraints.hpp>

namespace postern::x509 {
namespace {

bool below(std::string_view name, std::string_view parent) {
    return name.size() > parent.size() + 1 && name.ends_with(parent) && name[name.size() - parent.size() - 1] == '.';
}

bool dns_within(std::string_view name, std::string_view base, bool excluding) {
    if (base.empty()) return true;
    // RFC 5280 has no leading dot here; CAs write it and mean "below only".
    if (base.front() == '.') return below(name, base.substr(1));
    if (name == base || below(name, base)) return true;
    // "*.example.com" stands for "secret.example.com" too: exclude it with that.
    return excluding && name.starts_with("*.") && below(base, name.substr(2));
}

bool host_within(std::string_view host, std::string_view base) {
    if (base.empty()) return true;
    return base.front() == '.' ? below(host, base.substr(1)) : host == base;
}

bool email_within(std::string_view mailbox, std::string_view base) {
    const auto at = mailbox.rfind('@');
    if (at == std::string_view::npos) return false;
    const auto host = fold_ascii(mailbox.substr(at + 1));
    const auto base_at = base.rfind('@');
    if (base_at == std::string_view::npos) return host_within(host, fold_ascii(base));
    return mailbox.substr(0, at) == base.substr(0, base_at) && host == fold_ascii(base.substr(base_at + 1));
}

// The host of a URI, or nothing where it has none (RFC 5280: then a URI constraint cannot be met).
std::optional<std::string> uri_host(std::string_view uri) {
    const auto scheme = uri.find("://");
    if (scheme == std::string_view::npos) return std::nullopt;
    auto authority = uri.substr(scheme + 3);
    authority = authority.substr(0, authority.find_first_of("/?#"));
    if (const auto at = authority.rfind('@'); at != std::string_view::npos) authority.remove_prefix(at + 1);
    if (authority.empty() || authority.front() == '[') return std::nullopt;
    authority = authority.substr(0, authority.find(':'));
    // An address is not a host name; nor is the empty text.
    if (authority.empty() || authority.find_first_not_of("0123456789.") == std::string_view::npos) return std::nullopt;
    return fold_ascii(authority);
}

bool ip_within(std::string_view address, std::string_view base) {
    if (base.size() != 2 * address.size()) return false;
    for (std::size_t at = 0; at < address.size(); ++at) {
        const auto mask = static_cast<unsigned char>(base[address.size() + at]);
        if (((static_cast<unsigned char>(address[at]) ^ static_cast<unsigned char>(base[at])) & mask) != 0)
            return false;
    }
    return true;
}

bool can_be_constrained(NameKind kind) {
    return kind == NameKind::dns || kind == NameKind::email || kind == NameKind::ip || kind == NameKind::directory ||
           kind == NameKind::uri;
}

std::string shown(const GeneralName& name) {
    if (name.directory) return "\"" + name.directory->text() + "\"";
    if (name.kind == NameKind::ip) return "address " + hex(bytes(name.value), false);
    return "\"" + name.value + "\"";
}

GeneralNames names_of(const Certificate& certificate) {
    GeneralNames names;
    bool has_email = false;
    if (certificate.alternative_names) names = *certificate.alternative_names;
    for (const auto& name : names) has_email |= name.kind == NameKind::email;
    if (!certificate.subject.empty()) names.push_back({NameKind::directory, {}, certificate.subject});
    // RFC 5280 4.2.1.10: the old attribute counts where no alternative name of that kind is there.
    if (!has_email)
        for (const auto& mailbox : certificate.subject.emails())
            names.push_back({NameKind::email, mailbox, std::nullopt});
    return names;
}

// The bases of URI constraints. A host is within them where it, or ".parent" of one of its parents, stands there.
class UriBases {
public:
    explicit UriBases(const GeneralNames& names) {
        for (const auto& name : names)
            if (name.kind == NameKind::uri) bases_.insert(fold_ascii(name.value));
    }
    bool empty() const { return bases_.empty(); }
    bool hold(const std::string& host) const {
        if (bases_.contains("") || bases_.contains(host)) return true;
        for (auto dot = host.find('.', 1); dot != std::string::npos; dot = host.find('.', dot + 1))
            if (bases_.contains(host.substr(dot))) return true;
        return false;
    }

private:
    std::unordered_set<std::string> bases_;
};

}  // namespace

bool within_subtree(const GeneralName& name, const GeneralName& base, bool excluding) {
    switch (name.kind) {
        case NameKind::dns:
            return dns_within(fold_ascii(name.value), fold_ascii(base.value), excluding);
        case NameKind::email:
            return email_within(name.value, base.value);
        case NameKind::uri: {
            const auto host = uri_host(name.value);
            return host ? host_within(*host, fold_ascii(base.value)) : excluding;
        }
        case NameKind::ip:
            return ip_within(name.value, base.value);
        case NameKind::directory:
            return name.directory && base.directory && name.directory->within(*base.directory);
        default:
            return excluding;
    }
}

std::string NameConstraintCheck::fault_of(const GeneralName& name, const NameConstraints& constraints) {
    for (const auto& base : constraints.excluded) {
        if (base.kind != name.kind) continue;
        if (within_subtree(name, base, true))
            return "name " + shown(name) + " is excluded by its CA's name constraints";
    }
    bool constrained = false;
    for (const auto& base : constraints.permitted) {
        if (base.kind != name.kind) continue;
        if (can_be_constrained(name.kind) && within_subtree(name, base, false)) return {};
        constrained = true;
    }
    return constrained ? "name " + shown(name) + " is not within what its CA's name constraints permit" : "";
}

// Counted before anything is compared, so that the order of names decides nothing.
void NameConstraintCheck::count(const GeneralNames& names, const NameConstraints& constraints) {
    const auto of_kind = [](const GeneralNames& all, NameKind kind) {
        return static_cast<std::uint64_t>(std::ranges::count(all, kind, &GeneralName::kind));
    };
    for (const auto kind : {NameKind::dns, NameKind::email, NameKind::ip, NameKind::directory})
        comparisons_ +=
            of_kind(names, kind) * (of_kind(constraints.permitted, kind) + of_kind(constraints.excluded, kind));
}

std::string NameConstraintCheck::fault(const Certificate& certificate, const NameConstraints& constraints) {
    const auto names = names_of(certificate);
    count(names, constraints);
    if (too_much_work()) return "too many names and name constraints";
    for (const auto& name : names)
        if (name.kind != NameKind::uri)
            if (auto fault = fault_of(name, constraints); !fault.empty()) return fault;
    return uri_fault(names, constraints);
}

// As fault_of; a URI without a host name is excluded by every exclusion and met by no permission.
std::string NameConstraintCheck::uri_fault(const GeneralNames& names, const NameConstraints& constraints) {
    const UriBases permitted(constraints.permitted), excluded(constraints.excluded);
    if (permitted.empty() && excluded.empty()) return {};
    for (const auto& name : names) {
        if (name.kind != NameKind::uri) continue;
        const auto host = uri_host(name.value);
        if (!excluded.empty() && (!host || excluded.hold(*host)))
            return "name " + shown(name) + " is excluded by its CA's name constraints";
        if (!permitted.empty() && (!host || !permitted.hold(*host)))
            return "name " + shown(name) + " is not within what its CA's name constraints permit";
    }
    return {};
}

}  // namespace postern::x509
