// What was judged a moment ago: half of a mutual handshake's cost is this judgement, and partners come back.
//
// An answer is given again only for the very same octets under the very same terms: chain, staple, trust scope of the
// same generation, purpose, revocation, and an unchanged store of lists; and only until the first date that it rests
// on, ten minutes at most. What could not be decided is never kept. Bounded; any thread.
#pragma once

#include <list>
#include <mutex>
#include <postern/trust.hpp>
#include <unordered_map>

namespace postern::tls_mutual {

class JudgementCache {
public:
    static constexpr std::chrono::minutes longest{10};
    static constexpr std::size_t most_entries = 1000;
    static constexpr std::size_t longest_chain = 64 * 1024;  // octets; a longer one is judged each time

    // `epoch`: of the revocation checker, taken before the judgement began.
    std::optional<Judgement> find(const JudgeRequest& request, std::uint64_t epoch);
    void keep(const JudgeRequest& request, std::uint64_t epoch, const Judgement& judgement);
    std::size_t size() const;

private:
    struct Entry {
        std::uint64_t hash;
        JudgeRequest request;  // without scopes: `generation` stands for them, and does not keep them alive
        std::uint64_t generation, epoch;
        Judgement judgement;
        Time since{}, until{};
    };
    using Entries = std::list<Entry>;  // the last used first
    Entries::iterator look_up(std::uint64_t hash, const JudgeRequest& request, std::uint64_t epoch);
    void drop(Entries::iterator entry);

    mutable std::mutex mutex_;
    Entries entries_;
    std::unordered_multimap<std::uint64_t, Entries::iterator> by_hash_;
};

}  // namespace postern::tls_mutual
