#include <catch2/catch.hpp>
#include <policy/evidence.hpp>

using namespace postern;
using namespace postern::policy;

namespace {

const Time now = std::chrono::system_clock::now();

// A peer that proves everything; tests break one thing.
struct Case {
    Case() {
        requirement.listed = true;
        tls.version = TlsVersion::tls13;
        tls.protocol = "TLS1.3";
        tls.peer_chain.emplace_back();
        tls.peer_chain[0].dns_names = {"mail1.woodgrovebank.com"};
        evidence.tls = &tls;
        evidence.judgement.emplace();
        evidence.judgement->standing = Standing::valid;
        evidence.judgement->revocation = RevocationStanding::good;
        evidence.judgement->held = Purpose::server;
        evidence.name = NameEvidence{true, "mail1.woodgrovebank.com", ""};
    }
    void judged(const char* reason) {
        evidence.judgement->standing = Standing::invalid;
        evidence.judgement->reason = reason;
    }
    policy::Outcome weighed() const { return weigh(requirement, evidence, now); }
    std::string token() const { return weighed().fault.token; }
    Requirement requirement;
    TlsFacts tls;
    Evidence evidence;
};

}  // namespace

TEST_CASE("all proven is domain-secured", "[evidence]") {
    const auto outcome = Case().weighed();
    CHECK(outcome.passes);
    CHECK(outcome.domain_secured);
    CHECK(outcome.revocation == "good");
}

TEST_CASE("faults answer in the order of the table", "[evidence]") {
    Case c;
    c.judged("expired");
    c.evidence.name->speaks = false;
    CHECK(c.token() == "expired");
    c.judged("revoked");
    CHECK(c.token() == "name-mismatch");
    c.evidence.name->speaks = true;
    CHECK(c.token() == "revoked");
    c.requirement.demand.minimum = TlsVersion::tls13;
    c.tls.version = TlsVersion::tls12;
    CHECK(c.token() == "tls-too-old");
    c.tls.peer_chain.clear();
    CHECK(c.token() == "no-certificate");
    c.evidence.tls = nullptr;
    CHECK(c.token() == "tls-unavailable");
    c.evidence.starttls_offered = true;
    CHECK(c.token() == "starttls-required");
    c.evidence.handshake_failed_lately = true;
    CHECK(c.token() == "tls-unavailable");
    c.evidence.connector_secured = false;
    CHECK(c.token() == "connector-not-secured");
    c.evidence.missing_role = "crl";
    CHECK(c.token() == "role-missing");
}

TEST_CASE("nothing that a plugin leaves out passes", "[evidence]") {
    Case no_judgement;
    no_judgement.evidence.judgement.reset();
    CHECK_FALSE(no_judgement.weighed().passes);
    Case no_name;
    no_name.evidence.name.reset();
    CHECK_FALSE(no_name.weighed().passes);
    Case unknown;
    unknown.evidence.judgement->revocation = RevocationStanding::unknown;
    CHECK_FALSE(unknown.weighed().passes);
    Case undecided;
    undecided.evidence.judgement->standing = Standing::undecided;
    CHECK_FALSE(undecided.weighed().passes);
    Case nonsense;
    nonsense.evidence.judgement->standing = static_cast<Standing>(77);
    CHECK_FALSE(nonsense.weighed().passes);
}

TEST_CASE("soft revocation passes and is never marked", "[evidence]") {
    Case c;
    c.requirement.partner.revocation = RevocationMode::soft;
    c.evidence.judgement->revocation = RevocationStanding::unknown;
    CHECK(c.weighed().passes);
    CHECK_FALSE(c.weighed().domain_secured);
    CHECK(c.weighed().by_exception);
}

TEST_CASE("an exception lets its fault pass, unmarked, until its day, and no other fault", "[evidence]") {
    Case c;
    c.judged("crl-unreachable");
    c.requirement.partner.exceptions.push_back(
        {ExceptionKind::no_revocation, now + std::chrono::hours(1), "their CA moves"});
    CHECK(c.weighed().passes);
    CHECK_FALSE(c.weighed().domain_secured);
    c.judged("revoked");
    CHECK_FALSE(c.weighed().passes);
    c.judged("crl-unreachable");
    c.evidence.name->speaks = false;
    CHECK_FALSE(c.weighed().passes);
    c.evidence.name->speaks = true;
    c.requirement.partner.exceptions[0].until = now - std::chrono::hours(1);
    CHECK_FALSE(c.weighed().passes);
}

TEST_CASE("demands merge to the strictest, and contradicting lists to one nobody meets", "[evidence]") {
    Demand a, b;
    a.issuers = {"CA one"};
    b.issuers = {"CA two"};
    b.minimum = TlsVersion::tls13;
    const auto both = strictest(a, b);
    CHECK(both.minimum == TlsVersion::tls13);
    REQUIRE(both.issuers.size() == 1);
    CHECK(both.issuers[0] != "CA one");
    CHECK(both.issuers[0] != "CA two");
}

TEST_CASE("reply class and enhanced class agree, and a partner's softer reply is temporary", "[faults]") {
    Partner partner;
    for (const auto* token : {"role-missing", "starttls-required", "tls-unavailable", "no-certificate", "name-mismatch",
                              "revoked", "on-hold", "crl-stale", "what"}) {
        const auto reply = reply_to({token, "x"}, partner, "woodgrovebank.com", "08C895F533E837EC");
        CHECK(reply.enhanced[0] == '0' + reply.code / 100);
        CHECK(reply.text.starts_with(std::string(token) + ": "));
    }
    partner.name_mismatch_temporary = true;
    const auto softer = reply_to({"name-mismatch", "x"}, partner, "woodgrovebank.com", "1");
    CHECK(softer.code == 454);
    CHECK(softer.enhanced == "4.7.1");
}

TEST_CASE("a stored requirement is read back as it was demanded", "[evidence]") {
    Requirement requirement;
    requirement.demand.mutual = true;
    requirement.demand.minimum = TlsVersion::tls13;
    requirement.demand.issuers = {"CN=A; B, O=100%3b", "O=Other"};
    requirement.demand.names = {"mail1.woodgrovebank.com"};
    requirement.demand.purpose = Purpose::client;
    const auto text = to_text(requirement);
    const auto demand = demand_of(text);
    CHECK(demand.mutual);
    CHECK(demand.minimum == TlsVersion::tls13);
    CHECK(demand.issuers == requirement.demand.issuers);
    CHECK(demand.names == requirement.demand.names);
    CHECK(demand.purpose == Purpose::client);
    Requirement again;
    again.demand = demand;
    CHECK(to_text(again) == text);
    CHECK_FALSE(demand_of("").mutual);
    CHECK(demand_of("tls").tls);
    CHECK_FALSE(demand_of("tls").mutual);
    CHECK(demand_of("from-a-later-version").mutual);
}
