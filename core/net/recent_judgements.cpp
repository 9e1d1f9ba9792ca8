#include <algorithm>
#include <net/judging.hpp>
#include <net/recent_judgements.hpp>

namespace postern::net {

bool RecentJudgements::same_octets(const Known& known, const TlsFacts& tls) {
    return known.staple == tls.staple &&
           std::ranges::equal(known.chain, tls.peer_chain, {}, {}, &CertificateFacts::der);
}

bool RecentJudgements::answer(const Question& question, Time now, policy::Evidence& evidence) const {
    if (question.tls.peer_chain.empty()) return false;
    const auto found = known_.find(
        Key{std::string(question.entry), std::string(question.domain), question.tls.peer_chain.front().sha256});
    if (found == known_.end()) return false;
    const auto& known = found->second;
    if (known.generation != question.generation || known.epoch != question.epoch || now < known.since ||
        now >= known.judgement.valid_until || now >= known.since + holds)
        return false;
    if (!same_terms(known.terms, question.terms) || !same_octets(known, question.tls)) return false;
    evidence.judgement = known.judgement;
    evidence.name = known.name;
    return true;
}

void RecentJudgements::keep(const Question& question, Time now, const policy::Evidence& evidence) {
    if (!evidence.judgement || !evidence.name || evidence.judgement->standing != Standing::valid) return;
    Known known{question.generation, question.terms,      question.epoch, {},
                question.tls.staple, *evidence.judgement, *evidence.name, now};
    std::size_t octets = 0;
    for (const auto& certificate : question.tls.peer_chain) {
        octets += certificate.der.size();
        known.chain.push_back(certificate.der);
    }
    if (octets > longest_chain) return;
    Key key{std::string(question.entry), std::string(question.domain), question.tls.peer_chain.front().sha256};
    if (known_.size() >= most && !known_.contains(key))
        known_.erase(std::ranges::min_element(known_, {}, [](const auto& one) { return one.second.since; }));
    known_.insert_or_assign(std::move(key), std::move(known));
}

}  // namespace postern::net
