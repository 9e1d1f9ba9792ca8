#include <algorithm>
#include <ctime>
#include <x509/name_constraints.hpp>
#include <x509/oid.hpp>
#include <x509/path_validation.hpp>
#include <x509/policies.hpp>
#include <x509/signature.hpp>

namespace postern::x509 {
namespace {

using Fault = std::optional<PathFault>;
using Chain = std::vector<const Certificate*>;

std::string date(Time time) {
    const auto seconds = std::chrono::system_clock::to_time_t(time);
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    char text[32];
    return {text, std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%SZ", &parts)};
}

Fault fault(const Chain& chain, std::size_t at, std::string reason, const std::string& what) {
    return PathFault{std::move(reason), shown(*chain[at]) + " " + what, static_cast<std::uint32_t>(at)};
}

Fault dates(const Chain& chain, std::size_t i, Time at) {
    if (at > chain[i]->not_after) return fault(chain, i, "expired", "expired " + date(chain[i]->not_after));
    if (at < chain[i]->not_before)
        return fault(chain, i, "not-yet-valid", "is not valid before " + date(chain[i]->not_before));
    return {};
}

Fault key(const Chain& chain, std::size_t i, Profile profile) {
    const auto why = key_weakness(chain[i]->spki, profile);
    if (why.empty()) return {};
    return fault(chain, i, "weak", "has a key below what mail may use: " + why);
}

Fault critical_extensions(const Chain& chain, std::size_t i) {
    if (chain[i]->unknown_critical.empty()) return {};
    return fault(chain, i, "broken-constraint",
                 "has a critical extension that is not known here: " + chain[i]->unknown_critical.front());
}

// An anchor is a name and a key: only that key is judged.
Fault each_alone(const Chain& chain, const PathTerms& terms) {
    for (std::size_t i = 0; i + 1 < chain.size(); ++i)
        if (auto found = dates(chain, i, terms.at)) return found;
    for (std::size_t i = 0; i < chain.size(); ++i)
        if (auto found = key(chain, i, terms.profile)) return found;
    for (std::size_t i = 0; i + 1 < chain.size(); ++i)
        if (auto found = critical_extensions(chain, i)) return found;
    return {};
}

Fault authority(const Chain& chain, std::size_t i) {
    const auto& ca = *chain[i];
    if (ca.version != 3 || !ca.basic_constraints || !ca.basic_constraints->ca)
        return fault(chain, i, "broken-constraint", "stands as a CA and is none (basicConstraints)");
    if (!ca.may(KeyUse::key_cert_sign))
        return fault(chain, i, "broken-constraint", "may not sign certificates (keyUsage)");
    return {};
}

Fault authorities(const Chain& chain) {
    std::uint64_t remaining = chain.size();
    for (std::size_t i = chain.size() - 1; i-- > 1;) {  // from below the anchor down to above the leaf
        if (auto found = authority(chain, i)) return found;
        const auto& ca = *chain[i];
        if (!ca.self_issued()) {
            if (remaining == 0)
                return fault(chain, i, "broken-constraint", "stands deeper than a CA above allows (pathLenConstraint)");
            --remaining;
        }
        if (ca.basic_constraints->path_length) remaining = std::min(remaining, *ca.basic_constraints->path_length);
    }
    return {};
}

Fault constraints(const Chain& chain) {
    NameConstraintCheck check;
    for (std::size_t ca = chain.size() - 1; ca-- > 1;) {
        if (!chain[ca]->name_constraints) continue;
        for (std::size_t i = ca; i-- > 0;) {
            if (i > 0 && chain[i]->self_issued()) continue;  // 6.1.3 (b)
            auto what = check.fault(*chain[i], *chain[ca]->name_constraints);
            if (check.too_much_work()) return fault(chain, i, "too-much-work", "needs too many comparisons of names");
            if (!what.empty()) return fault(chain, i, "broken-constraint", "breaks a constraint: " + what);
        }
    }
    return {};
}

Fault policies(const Chain& chain) {
    if (const auto found = policy_fault(chain))
        return fault(chain, found->certificate, "broken-constraint", found->what);
    return {};
}

// The first certificate but the anchor that does not serve the purpose.
std::optional<std::size_t> unfit(const Chain& chain, std::string_view purpose) {
    for (std::size_t i = 0; i + 1 < chain.size(); ++i)
        if (!chain[i]->serves(purpose)) return i;
    return std::nullopt;
}

Fault purposes(Path& path, Purpose wanted) {
    const auto& chain = path.certificates;
    if (wanted == Purpose::unstated) return {};
    const auto no_client = unfit(chain, oid::client_auth), no_server = unfit(chain, oid::server_auth);
    if ((wanted == Purpose::client || wanted == Purpose::connecting) && !no_client) {
        path.held = Purpose::client;
        return {};
    }
    if ((wanted == Purpose::server || wanted == Purpose::connecting) && !no_server) {
        path.held = Purpose::server;
        return {};
    }
    if (wanted == Purpose::client)
        return fault(chain, *no_client, "wrong-purpose", "is not for TLS clients (no clientAuth in its extKeyUsage)");
    if (wanted == Purpose::server)
        return fault(chain, *no_server, "wrong-purpose", "is not for TLS servers (no serverAuth in its extKeyUsage)");
    return fault(chain, *no_client, "wrong-purpose",
                 "is neither for TLS clients nor for servers (no clientAuth, no serverAuth in its extKeyUsage)");
}

}  // namespace

std::string shown(const Certificate& certificate) {
    auto serial = bytes(certificate.serial);
    if (serial.size() > 1 && serial[0] == 0) serial = serial.subspan(1);
    return "\"" + certificate.subject.text() + "\" (serial " + hex(serial, true) + ")";
}

std::optional<PathFault> intermediate_fault(const Certificate& certificate, const PathTerms& terms) {
    const Chain alone{&certificate};
    if (auto found = dates(alone, 0, terms.at)) return found;
    if (auto found = key(alone, 0, terms.profile)) return found;
    if (auto found = critical_extensions(alone, 0)) return found;
    return authority(alone, 0);
}

std::optional<PathFault> leaf_fault(const Certificate& certificate, const PathTerms& terms) {
    Path alone{{&certificate, &certificate}, Purpose::unstated};  // as its own anchor, for the readers above
    if (auto found = each_alone(alone.certificates, terms)) return found;
    return purposes(alone, terms.purpose);
}

std::optional<PathFault> validate(Path& path, const PathTerms& terms) {
    const auto& chain = path.certificates;
    if (auto found = each_alone(chain, terms)) return found;
    if (auto found = authorities(chain)) return found;
    if (auto found = constraints(chain)) return found;
    if (auto found = policies(chain)) return found;
    return purposes(path, terms.purpose);
}

}  // namespace postern::x509
