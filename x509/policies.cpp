#include <algorithm>
#include <map>
#include <set>
#include <x509/oid.hpp>
#include <x509/policies.hpp>

namespace postern::x509 {
namespace {

// The nodes of one depth: a valid policy and what it is called below (RFC 9618 5.1's expected_policy_set). Empty: the
// graph is NULL, since a node without children is pruned and takes its parents with it.
using Level = std::map<std::string, std::set<std::string>>;

class Processing {
public:
    explicit Processing(std::size_t certificates)
        : explicit_(certificates + 1), mapping_(certificates + 1), any_(certificates + 1) {
        level_[any()] = {any()};
    }

    // 6.1.3 (d) to (f). False where no policy is left although one is demanded.
    bool take(const Certificate& certificate, bool last) {
        if (!certificate.policy.policies) level_.clear();
        else if (!level_.empty()) descend(certificate, last);
        return explicit_ > 0 || !level_.empty();
    }

    // 6.1.4 (a), (b), (h) to (j): what a CA says of those below it. False where it maps anyPolicy.
    bool prepare(const Certificate& ca) {
        if (!map(ca.policy.mappings)) return false;
        if (!ca.self_issued())
            for (auto* count : {&explicit_, &mapping_, &any_})
                if (*count > 0) --*count;
        lower(explicit_, ca.policy.require_explicit);
        lower(mapping_, ca.policy.inhibit_mapping);
        lower(any_, ca.policy.inhibit_any);
        return true;
    }

    // 6.1.5 (a), (b), (g).
    bool wrap_up(const Certificate& leaf) {
        if (explicit_ > 0) --explicit_;
        if (leaf.policy.require_explicit == 0u) explicit_ = 0;
        return explicit_ > 0 || !level_.empty();
    }

private:
    static std::string any() { return std::string(oid::any_policy); }
    static void lower(std::uint64_t& count, const std::optional<std::uint64_t>& stated) {
        if (stated) count = std::min(count, *stated);
    }

    void descend(const Certificate& certificate, bool last) {
        std::set<std::string> expected;
        for (const auto& [policy, names] : level_) expected.insert(names.begin(), names.end());
        const bool under_any = level_.contains(any());
        const auto& stated = *certificate.policy.policies;
        Level next;
        for (const auto& policy : stated)
            if (policy != any() && (under_any || expected.contains(policy))) next[policy] = {policy};
        const bool any_counts = any_ > 0 || (!last && certificate.self_issued());
        if (any_counts && std::ranges::find(stated, any()) != stated.end())
            for (const auto& policy : expected) next.try_emplace(policy, std::set<std::string>{policy});
        level_ = std::move(next);
    }

    bool map(const std::vector<PolicyMapping>& mappings) {
        std::map<std::string, std::set<std::string>> renamed;
        for (const auto& one : mappings) {
            if (one.from == any() || one.to == any()) return false;
            renamed[one.from].insert(one.to);
        }
        const bool under_any = level_.contains(any());
        for (auto& [policy, names] : renamed) {
            if (mapping_ == 0) level_.erase(policy);
            else if (under_any || level_.contains(policy)) level_[policy] = std::move(names);
        }
        return true;
    }

    Level level_;
    std::uint64_t explicit_, mapping_, any_;  // 6.1.2 (d) to (f): certificates that may still pass before it binds
};

}  // namespace

std::optional<PolicyFault> policy_fault(const std::vector<const Certificate*>& path) {
    static constexpr auto none_left = "stands under no policy, although a CA above it demands one (policyConstraints)";
    if (path.size() < 2) return std::nullopt;
    Processing processing(path.size() - 1);
    for (std::size_t i = path.size() - 1; i-- > 0;) {
        if (!processing.take(*path[i], i == 0)) return PolicyFault{i, none_left};
        if (i == 0) break;
        if (!processing.prepare(*path[i])) return PolicyFault{i, "maps anyPolicy, which RFC 5280 forbids"};
    }
    if (!processing.wrap_up(*path[0])) return PolicyFault{0, none_left};
    return std::nullopt;
}

}  // namespace postern::x509
