#include <catch2/catch.hpp>
#include <net/recent_judgements.hpp>

using namespace postern;
using namespace postern::net;
using namespace std::chrono_literals;

namespace {

const Time now = std::chrono::system_clock::now();

TlsFacts peer(std::string leaf) {
    TlsFacts tls;
    CertificateFacts certificate;
    certificate.sha256 = leaf;
    certificate.der = Bytes(leaf.begin(), leaf.end());
    tls.peer_chain = {certificate, certificate};
    tls.peer_chain.back().der.push_back(0);
    return tls;
}

policy::Evidence judged(Standing standing, Time until) {
    policy::Evidence evidence;
    evidence.judgement.emplace();
    evidence.judgement->standing = standing;
    evidence.judgement->valid_until = until;
    evidence.name.emplace();
    evidence.name->speaks = true;
    return evidence;
}

struct Asked {
    policy::Partner terms;
    TlsFacts tls = peer("leaf");
    std::uint64_t generation = 3, epoch = 5;
    std::string entry = "example.org", domain = "example.org";
    RecentJudgements::Question question() const { return {generation, entry, domain, terms, epoch, tls}; }
    bool answered(const RecentJudgements& known, Time at = now + 1s) const {
        policy::Evidence evidence;
        return known.answer(question(), at, evidence) && evidence.judgement && evidence.name->speaks;
    }
};

}  // namespace

TEST_CASE("a good judgement is given again to the very same question", "[judgements]") {
    RecentJudgements known;
    const Asked asked;
    CHECK_FALSE(asked.answered(known));
    known.keep(asked.question(), now, judged(Standing::valid, now + 1h));
    CHECK(asked.answered(known));
}

TEST_CASE("whatever it rests on being another, the judge is asked anew", "[judgements]") {
    RecentJudgements known;
    known.keep(Asked().question(), now, judged(Standing::valid, now + 1h));
    const auto but = [&](auto change) {
        Asked asked;
        change(asked);
        return asked.answered(known);
    };
    CHECK_FALSE(but([](Asked& asked) { asked.generation = 4; }));
    CHECK_FALSE(but([](Asked& asked) { asked.epoch = 6; }));
    CHECK_FALSE(but([](Asked& asked) { asked.entry = ".example.org"; }));
    CHECK_FALSE(but([](Asked& asked) { asked.domain = "mail.example.org"; }));
    CHECK_FALSE(but([](Asked& asked) { asked.terms.revocation = RevocationMode::off; }));
    CHECK_FALSE(but([](Asked& asked) { asked.terms.purpose = Purpose::server; }));
    CHECK_FALSE(but([](Asked& asked) { asked.tls.peer_chain.pop_back(); }));
    CHECK_FALSE(but([](Asked& asked) { asked.tls.peer_chain.front().der.push_back(1); }));
    CHECK_FALSE(but([](Asked& asked) { asked.tls.peer_chain.back().der.push_back(1); }));
    CHECK_FALSE(but([](Asked& asked) { asked.tls.staple.push_back(1); }));
    CHECK_FALSE(but([](Asked& asked) { asked.tls = peer("other"); }));
    CHECK_FALSE(but([](Asked& asked) { asked.tls.peer_chain.clear(); }));
}

TEST_CASE("it ends with what it rests on, and after a minute", "[judgements]") {
    RecentJudgements known;
    const Asked asked;
    known.keep(asked.question(), now, judged(Standing::valid, now + 20s));
    CHECK(asked.answered(known, now + 19s));
    CHECK_FALSE(asked.answered(known, now + 20s));
    known.keep(asked.question(), now, judged(Standing::valid, now + 1h));
    CHECK(asked.answered(known, now + 59s));
    CHECK_FALSE(asked.answered(known, now + 60s));
    CHECK_FALSE(asked.answered(known, now - 1s));  // the clock was set back
}

TEST_CASE("only what is good is remembered, and no more than a bound", "[judgements]") {
    RecentJudgements known;
    Asked asked;
    for (const auto standing : {Standing::invalid, Standing::undecided}) {
        known.keep(asked.question(), now, judged(standing, now + 1h));
        CHECK_FALSE(asked.answered(known));
    }
    asked.tls.peer_chain.back().der.resize(RecentJudgements::longest_chain);
    known.keep(asked.question(), now, judged(Standing::valid, now + 1h));
    CHECK_FALSE(asked.answered(known));
    for (std::size_t i = 0; i <= RecentJudgements::most; ++i) {
        Asked one;
        one.tls = peer("leaf " + std::to_string(i));
        known.keep(one.question(), now + std::chrono::milliseconds(i), judged(Standing::valid, now + 1h));
    }
    asked.tls = peer("leaf 0");  // the oldest
    CHECK_FALSE(asked.answered(known));
    asked.tls = peer("leaf 1");
    CHECK(asked.answered(known));
}
