#include <algorithm>
#include <tls-mutual/facts.hpp>
#include <tls-mutual/store/automatic.hpp>
#include <tls-mutual/store/command.hpp>
#include <tls-mutual/store/making.hpp>

namespace postern::tls_mutual {
namespace {

constexpr std::chrono::hours renew_before{30 * 24};
constexpr std::size_t longest_common_name = 64;

// Names that receive connectors want from the store, and that no enabled certificate of somebody else's making covers.
std::vector<std::string> uncovered(const ConfigurationView& view, const StoreContents& contents, Time now) {
    std::vector<std::string> names;
    for (const auto& connector : view.connectors) {
        if (connector.kind != ConnectorKind::receive || !connector.tls || !connector.certificate.empty()) continue;
        const bool covered = std::ranges::any_of(contents.certificates, [&](const StoredCertificate& one) {
            return one.about.origin != Origin::automatic && one.about.smtp && one.leaf.not_after > now &&
                   one.leaf.not_before <= now && covers(one.leaf, connector.fqdn) != Covers::no;
        });
        if (!covered) names.push_back(connector.fqdn);
    }
    return names;
}

bool holds_all(const CertificateFacts& leaf, const std::vector<std::string>& names) {
    return std::ranges::all_of(names, [&](const auto& name) { return covers(leaf, name) == Covers::exactly; });
}

Outcome<std::string> make(const CertificateStore& store, const std::string& fqdn, std::vector<std::string> names,
                          Time now) {
    // Our own name first: it is the subject.
    std::ranges::stable_partition(names, [&](const std::string& name) { return name == fqdn; });
    CertificateTerms terms;
    terms.dns_names = names;
    const auto short_name =
        std::ranges::find_if(names, [](const auto& one) { return one.size() <= longest_common_name; });
    if (short_name == names.end()) return Failure{"cannot-make", "no name of ours fits into a subject (64 characters)"};
    terms.subject.values.push_back({NamePart::common, *short_name});
    const auto key = make_key(KeyType::p256);
    if (!key) return key.failure;
    const auto pem = key_to_pem(key->get());
    if (!pem) return pem.failure;
    const auto der = make_self_signed(terms, key->get(), now);
    if (!der) return der.failure;
    Attributes about;
    about.friendly_name = "for opportunistic TLS, made by itself";
    about.smtp = true;
    about.origin = Origin::automatic;
    if (auto added = store.add(about, {*der}, *pem); !added) return added.failure;
    const auto leaf = read_facts(*der);
    return "self-signed certificate " + (leaf ? leaf->sha256 : std::string()) + " for " + joined(names);
}

}  // namespace

Outcome<std::string> keep_automatic(Host& host, const ConfigurationView& view, const CertificateStore& store) {
    const auto now = host.now();
    auto contents = store.read();
    const auto mine = [](const StoredCertificate& one) { return one.about.origin == Origin::automatic; };
    const bool any = std::ranges::any_of(contents.certificates, mine);
    if (!any && uncovered(view, contents, now).empty()) return std::string();
    const auto lock = store.lock();
    if (!lock) return lock.failure;
    contents = store.read();
    std::string done;
    const auto names = host.own_domains();
    const auto current = [&](const StoredCertificate& one) {
        return mine(one) && one.leaf.not_after > now + renew_before && holds_all(one.leaf, names);
    };
    if (!uncovered(view, contents, now).empty() && std::ranges::none_of(contents.certificates, current)) {
        auto made = make(store, view.fqdn, names, now);
        if (!made) return made.failure;
        done = std::move(*made);
    }
    // Until it ends an older one may be pinned somewhere; one that lacks a name of ours serves nobody.
    for (const auto& one : contents.certificates)
        if (mine(one) && (one.leaf.not_after <= now || !holds_all(one.leaf, names)))
            if (auto removed = store.remove(one); !removed) return removed.failure;
    return done;
}

}  // namespace postern::tls_mutual
