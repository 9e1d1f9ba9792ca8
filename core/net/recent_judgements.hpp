// Good judgements of a moment ago: a partner's next message, or its next session, need not ask the judge again, which
// would cost a change of threads. Given again only for the very same octets under the same terms, as long as all holds
// that it rests on. Bounded. One worker's.
#pragma once

#include <array>
#include <chrono>
#include <map>
#include <policy/evidence.hpp>
#include <policy/partner.hpp>
#include <string>
#include <vector>

namespace postern::net {

class RecentJudgements {
public:
    static constexpr std::chrono::minutes holds{1};
    static constexpr std::size_t most = 256;
    static constexpr std::size_t longest_chain = 64 * 1024;  // octets; a longer one is judged each time

    struct Question {
        std::uint64_t generation = 0;  // its number: what is remembered keeps no old one alive
        std::string_view entry, domain;
        const policy::Partner& terms;
        std::uint64_t epoch = 0;  // of the revocation checker, taken before the judging began
        const TlsFacts& tls;
    };
    // Fills in judgement and name; false: nobody asked this lately.
    bool answer(const Question& question, Time now, policy::Evidence& evidence) const;
    void keep(const Question& question, Time now, const policy::Evidence& evidence);

private:
    struct Known {
        std::uint64_t generation = 0;
        policy::Partner terms;
        std::uint64_t epoch = 0;
        std::vector<Bytes> chain;
        Bytes staple;
        Judgement judgement;
        NameEvidence name;
        Time since{};
    };
    using Key = std::array<std::string, 3>;  // entry, domain, the leaf's sha256
    static bool same_octets(const Known& known, const TlsFacts& tls);

    std::map<Key, Known> known_;
};

}  // namespace postern::net
