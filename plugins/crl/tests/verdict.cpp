#include <catch2/catch.hpp>
#include <crl/verdict.hpp>
#include <support/lists.hpp>

using namespace postern;
using namespace postern::crl;
using test::Authority;
using test::CertificateTerms;
using test::ListTerms;

namespace {

constexpr auto url = "http://crl.example.com/ca.crl";

CertificateTerms ca(const std::string& name) {
    CertificateTerms terms;
    terms.name = name;
    terms.ca = true;
    return terms;
}
CertificateTerms leaf(std::vector<std::string> urls = {url}) {
    CertificateTerms terms;
    terms.name = "mail1.contoso.com";
    terms.crl_urls = std::move(urls);
    return terms;
}

struct World {
    Authority root{ca("Root")}, other{ca("Root")};
    Authority edge{leaf(), &root}, second{leaf(), &root};
    Terms terms{std::chrono::system_clock::now(), {}, RevocationSource::except_short_lived, Profile::modern};
    std::vector<KnownListRef> lists;
    std::vector<x509::Certificate> pool;  // what stands beside the path

    void add(const Bytes& der) {
        auto list = x509::CertificateList::read(der);
        REQUIRE(list);
        lists.push_back(std::make_shared<const KnownList>(std::move(*list), url));
    }
    CertificateRevocation ask(const Authority& certificate) const { return ask({&certificate, &root}); }
    CertificateRevocation ask(const std::vector<const Authority*>& chain) const {
        std::vector<x509::Certificate> path;
        for (const auto* one : chain) path.push_back(*x509::Certificate::read(one->der()));
        const auto named = [this](const x509::Name& issuer) {
            std::vector<KnownListRef> found;
            for (const auto& list : lists)
                if (list->list.issuer == issuer) found.push_back(list);
            return found;
        };
        Deciding deciding(std::move(path), pool, named, terms);
        auto answer = deciding.decide(0);
        CHECK_FALSE(answer.sentence.empty());
        return answer;
    }
    void know(const Authority& certificate) { pool.push_back(*x509::Certificate::read(certificate.der())); }
    std::string token(const Authority& certificate) const { return ask(certificate).reason; }
};

}  // namespace

TEST_CASE("a certificate is good by its issuer's list and revoked by its serial number", "[crl]") {
    World world;
    ListTerms terms;
    terms.revoked = {&world.second};
    terms.reason = 1;
    world.add(make_list(world.root, terms));
    const auto good = world.ask(world.edge);
    CHECK(good.standing == RevocationStanding::good);
    CHECK(good.valid_until > world.terms.at);
    const auto revoked = world.ask(world.second);
    CHECK(revoked.standing == RevocationStanding::revoked);
    CHECK(revoked.reason == "revoked");
    CHECK(revoked.sentence.find("keyCompromise") != std::string::npos);
    CHECK(revoked.sentence.find(url) != std::string::npos);
}

TEST_CASE("a certificate on hold is told apart, and hold never hides a revocation", "[crl]") {
    World world;
    ListTerms hold;
    hold.revoked = {&world.edge};
    hold.reason = 6;
    world.add(make_list(world.root, hold));
    CHECK(world.ask(world.edge).standing == RevocationStanding::on_hold);
    hold.reason = 1;
    world.add(make_list(world.root, hold));
    CHECK(world.ask(world.edge).standing == RevocationStanding::revoked);
    std::swap(world.lists[0], world.lists[1]);
    CHECK(world.ask(world.edge).standing == RevocationStanding::revoked);
}

TEST_CASE("no list at all is unreachable, never good", "[crl]") {
    World world;
    CHECK(world.ask(world.edge).standing == RevocationStanding::unknown);
    CHECK(world.token(world.edge) == "crl-unreachable");
}

TEST_CASE("a list by another key of the same name is not believed", "[crl]") {
    World world;
    world.add(make_list(world.other, {}));
    CHECK(world.ask(world.edge).standing == RevocationStanding::unusable);
    CHECK(world.token(world.edge) == "crl-unverifiable");
    world.add(make_list(world.root, {}));
    CHECK(world.ask(world.edge).standing == RevocationStanding::good);
}

TEST_CASE("the list of a CA's other key is that key's: the certificate's own list is missing, not unverifiable",
          "[crl]") {
    World world;
    ListTerms terms;
    terms.key_id = x509::Certificate::read(world.other.der())->subject_key_id;
    REQUIRE_FALSE(terms.key_id.empty());
    world.add(make_list(world.other, terms));
    CHECK(world.token(world.edge) == "crl-unreachable");
    terms.key_id = x509::Certificate::read(world.root.der())->subject_key_id;
    world.add(make_list(world.other, terms));
    CHECK(world.token(world.edge) == "crl-unverifiable");
}

TEST_CASE("an issuer that may not sign lists does not", "[crl]") {
    World world;
    auto terms = ca("Root");
    terms.key_usage = GNUTLS_KEY_KEY_CERT_SIGN;
    const Authority no_signer(terms);
    const Authority edge(leaf(), &no_signer);
    world.add(make_list(no_signer, {}));
    CHECK(world.ask({&edge, &no_signer}).reason == "crl-unverifiable");
}

TEST_CASE("a list that has ended is stale, five minutes of skew and the grace apart", "[crl]") {
    World world;
    ListTerms terms;
    terms.begins = std::chrono::minutes(-600);
    terms.ends = std::chrono::minutes(-10);
    world.add(make_list(world.root, terms));
    CHECK(world.token(world.edge) == "crl-stale");
    world.terms.grace = std::chrono::minutes(20);
    CHECK(world.ask(world.edge).standing == RevocationStanding::good);
    World skewed;
    terms.ends = std::chrono::minutes(-3);
    skewed.add(make_list(skewed.root, terms));
    CHECK(skewed.ask(skewed.edge).standing == RevocationStanding::good);
    World early;
    terms.begins = std::chrono::minutes(30);
    terms.ends = std::chrono::minutes(600);
    early.add(make_list(early.root, terms));
    CHECK(early.token(early.edge) == "crl-stale");
}

TEST_CASE("a serial on a list that has ended stays revoked", "[crl]") {
    World world;
    ListTerms terms;
    terms.begins = std::chrono::minutes(-600);
    terms.ends = std::chrono::minutes(-60);
    terms.revoked = {&world.edge};
    world.add(make_list(world.root, terms));
    CHECK(world.ask(world.edge).standing == RevocationStanding::revoked);
}

TEST_CASE("a partition counts only for the distribution point that it is for", "[crl]") {
    World world;
    ListTerms terms;
    terms.point = "http://crl.example.com/other.crl";
    world.add(make_list(world.root, terms));
    CHECK(world.ask(world.edge).standing == RevocationStanding::unknown);
    terms.point = url;
    world.add(make_list(world.root, terms));
    CHECK(world.ask(world.edge).standing == RevocationStanding::good);
}

TEST_CASE("a list for CAs says nothing of a leaf, one for users does", "[crl]") {
    World world;
    ListTerms terms;
    terms.only_ca = true;
    world.add(make_list(world.root, terms));
    CHECK(world.ask(world.edge).standing == RevocationStanding::unknown);
    terms.only_ca = false;
    terms.only_user = true;
    world.add(make_list(world.root, terms));
    CHECK(world.ask(world.edge).standing == RevocationStanding::good);
}

TEST_CASE("an unknown critical extension makes a list unusable, a delta alone says nothing", "[crl]") {
    World world;
    ListTerms terms;
    terms.odd_critical = true;
    world.add(make_list(world.root, terms));
    CHECK(world.token(world.edge) == "crl-unverifiable");
    World delta;
    terms.odd_critical = false;
    terms.delta = true;
    delta.add(make_list(delta.root, terms));
    CHECK(delta.token(delta.edge) == "crl-unreachable");
}

TEST_CASE("a certificate without a list is what the policy says, and short-lived ones are told apart", "[crl]") {
    World world;
    const Authority silent(leaf({}), &world.root);
    auto brief = leaf({});
    brief.begins = std::chrono::hours(-1);
    brief.ends = std::chrono::hours(6 * 24);
    const Authority short_one(brief, &world.root);
    CHECK(world.token(silent) == "no-crl-source");
    CHECK(world.ask(short_one).standing == RevocationStanding::short_lived);
    world.terms.source = RevocationSource::always;
    CHECK(world.ask(short_one).standing == RevocationStanding::no_source);
    world.terms.source = RevocationSource::if_present;
    CHECK(world.ask(silent).standing == RevocationStanding::not_checked);
    // A list found by the issuer's name alone counts, for good and for bad.
    ListTerms terms;
    terms.revoked = {&short_one};
    world.add(make_list(world.root, terms));
    CHECK(world.ask(silent).standing == RevocationStanding::good);
    CHECK(world.ask(short_one).standing == RevocationStanding::revoked);
}

// A CA under the root, and beside it the certificate of the key that signs its lists.
namespace {
CertificateTerms signer(unsigned usage = GNUTLS_KEY_CRL_SIGN) {
    auto terms = leaf({});
    terms.name = "Issuing";
    terms.key_usage = usage;
    return terms;
}
struct TwoKeys : World {
    Authority issuing{ca("Issuing"), &root};
    Authority below{leaf(), &issuing};
    Authority list_key{signer(), &root};
    TwoKeys() { add(make_list(list_key, {})); }
    CertificateRevocation ask_below() const { return ask({&below, &issuing, &root}); }
};
}  // namespace

TEST_CASE("a CA's lists under another key count once that key's own certificate is known and stands", "[crl]") {
    TwoKeys world;
    CHECK(world.ask_below().standing == RevocationStanding::unusable);
    world.know(world.list_key);
    const auto unsure = world.ask_below();
    CHECK(unsure.standing == RevocationStanding::unusable);
    CHECK(unsure.sentence.find("whether its signer still stands") != std::string::npos);
    world.add(make_list(world.root, {}));
    CHECK(world.ask_below().standing == RevocationStanding::good);
    ListTerms revoking;
    revoking.revoked = {&world.list_key};
    world.add(make_list(world.root, revoking));
    const auto fallen = world.ask_below();
    CHECK(fallen.standing == RevocationStanding::unusable);
    CHECK(fallen.sentence.find("does not stand any more") != std::string::npos);
}

TEST_CASE("who signs lists beside the path says so in keyUsage and ends in the path's own anchor", "[crl]") {
    TwoKeys world;
    world.add(make_list(world.root, {}));
    const Authority silent(signer(0), world.list_key, world.root);  // the same key, no keyUsage
    world.know(silent);
    CHECK(world.ask_below().standing == RevocationStanding::unusable);
    const Authority foreign_root(ca("Foreign root"));
    const Authority foreign(signer(), world.list_key, foreign_root);
    world.know(foreign);
    world.know(foreign_root);
    CHECK(world.ask_below().standing == RevocationStanding::unusable);
    world.know(world.list_key);
    CHECK(world.ask_below().standing == RevocationStanding::good);
}

TEST_CASE("a leaf that bears its CA's name signs no list for itself", "[crl]") {
    World world;
    auto terms = leaf();
    terms.name = "Root";
    const Authority namesake(terms, &world.root);
    world.add(make_list(namesake, {}));
    CHECK(world.ask(namesake).standing == RevocationStanding::unusable);
}

TEST_CASE("an indirect list counts where the certificate names its issuer, and an entry says whose serial it is",
          "[crl]") {
    World world;
    const Authority lister(signer(), &world.root);
    world.know(lister);
    ListTerms terms;
    terms.indirect = true;
    world.add(make_list(world.root, {}));  // for the lister's own certificate
    world.add(make_list(lister, terms));
    const Authority edge(
        [&] {
            auto wanted = leaf({});
            wanted.also = test::crl_issuer(lister);
            return wanted;
        }(),
        &world.root);
    CHECK(world.ask(edge).standing == RevocationStanding::good);
    terms.revoked = {&edge};
    world.add(make_list(lister, terms));  // an entry that names nobody is one of the lister's own serials
    CHECK(world.ask(edge).standing == RevocationStanding::good);
    terms.entry_issuer = &world.root;
    world.add(make_list(lister, terms));
    CHECK(world.ask(edge).standing == RevocationStanding::revoked);
    // The same list does not speak for a certificate that names nobody.
    CHECK(world.ask(world.edge).standing == RevocationStanding::good);
}

TEST_CASE("reasons are united over lists, and some alone clear nobody", "[crl]") {
    World world;
    ListTerms terms;
    terms.only_reasons = 0x7e;  // bits 1 to 6
    world.add(make_list(world.root, terms));
    CHECK(world.ask(world.edge).standing == RevocationStanding::unknown);
    CHECK(world.ask(world.edge).sentence.find("reasons") != std::string::npos);
    terms.only_reasons = 0x180;  // 7 and 8
    world.add(make_list(world.root, terms));
    CHECK(world.ask(world.edge).standing == RevocationStanding::good);
}

TEST_CASE("dates at the end of time are no dates of yesterday", "[crl]") {
    World world;
    ListTerms endless;
    endless.endless = true;  // nextUpdate 99991231235959Z
    world.add(make_list(world.root, endless));
    CHECK(world.ask(world.edge).standing == RevocationStanding::good);
    // From before what Time can hold until after it: not short-lived.
    const Authority silent(leaf({}), &world.root);
    auto ageless = *x509::Certificate::read(silent.der());
    ageless.not_before = Time::min();
    ageless.not_after = Time::max();
    const std::vector path{ageless, *x509::Certificate::read(world.root.der())};
    Deciding deciding(
        path, {}, [](const x509::Name&) { return std::vector<KnownListRef>(); }, world.terms);
    CHECK(deciding.decide(0).standing == RevocationStanding::no_source);
}
