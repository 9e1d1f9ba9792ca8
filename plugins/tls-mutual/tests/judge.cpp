#include <catch2/catch.hpp>
#include <fstream>
#include <postern/testing/fake_host.hpp>
#include <support/authority.hpp>
#include <tls-mutual/judge.hpp>
#include <tls-mutual/trust_scopes.hpp>

using namespace postern;
using namespace postern::tls_mutual;
using test::Authority;
using test::CertificateTerms;

namespace {

CertificateTerms ca(const std::string& name) {
    CertificateTerms terms;
    terms.name = name;
    terms.ca = true;
    return terms;
}
CertificateTerms leaf(const std::string& name) {
    CertificateTerms terms;
    terms.name = name;
    terms.dns_names = {name};
    return terms;
}

// Says of each certificate what the test laid down, by the leaf's issuer's place in the path; later, if told so.
struct Lists : RevocationChecker {
    Pending<std::vector<CertificateRevocation>> check(RevocationRequest request) override {
        ++asked;
        last = std::move(request);
        auto all = next.empty() ? std::vector<CertificateRevocation>(last.path.size() - 1, good()) : next;
        if (!answers.empty()) {
            all = answers.front();
            answers.erase(answers.begin());
        }
        if (!later) return all;
        waiting = [answer = waiting_answer, all] { answer.give(all); };
        return waiting_answer.pending();
    }
    std::uint64_t epoch() const override { return version; }
    static CertificateRevocation good() { return {RevocationStanding::good, "", "not on the list", "list", {}}; }

    int asked = 0;
    std::uint64_t version = 1;
    bool later = false;
    RevocationRequest last;
    std::vector<CertificateRevocation> next;
    std::vector<std::vector<CertificateRevocation>> answers;
    Answer<std::vector<CertificateRevocation>> waiting_answer = Answer<std::vector<CertificateRevocation>>::make();
    std::function<void()> waiting;
};

struct World {
    World() {
        judge.use(host);
        host.offer<RevocationChecker>(lists);
        write("root.pem", root.pem());
        write("partner.pem", partner_root.pem());
        scopes = load({{"", false, {folder.path("root.pem")}, {}},
                       {"woodgrovebank.com", false, {folder.path("partner.pem")}, {}}});
    }
    void write(const std::string& name, const std::string& text) { std::ofstream(folder.path(name)) << text; }
    Ref<TrustScopes> load(const std::vector<TrustScopeFiles>& files) {
        auto loaded = judge.load_scopes(files);
        REQUIRE(loaded);
        return *loaded;
    }
    JudgeRequest request(const Authority& certificate, const std::string& scope = {}) const {
        JudgeRequest one;
        one.chain = {certificate.der()};
        one.scopes = scopes;
        one.scope = scope;
        one.at = std::chrono::system_clock::now();
        return one;
    }
    Judgement ask(JudgeRequest one) {
        auto judged = test::wait_for(judge.judge(std::move(one)));
        REQUIRE(judged);
        return *judged;
    }

    test::TemporaryFolder folder;
    test::FakeHost host;
    Judge judge{"/nonexistent"};
    Lists lists;
    Authority root{ca("Root")}, partner_root{ca("Woodgrove root")};
    Ref<TrustScopes> scopes;
};

}  // namespace

TEST_CASE("a chain is valid in the scope that holds its root and in no other", "[judge]") {
    World world;
    const Authority edge(leaf("mail1.woodgrovebank.com"), &world.partner_root);
    const auto theirs = world.ask(world.request(edge, "woodgrovebank.com"));
    CHECK(theirs.standing == Standing::valid);
    CHECK(theirs.revocation == RevocationStanding::good);
    CHECK(theirs.path.size() == 2);
    CHECK(theirs.held == Purpose::client);
    const auto everybody = world.ask(world.request(edge));
    CHECK(everybody.standing == Standing::invalid);
    CHECK(everybody.reason == "unknown-root");
    // and the general roots do not speak for the partner
    const Authority other(leaf("mail1.woodgrovebank.com"), &world.root);
    CHECK(world.ask(world.request(other, "woodgrovebank.com")).reason == "unknown-root");
}

TEST_CASE("an unknown scope is a failure, not everybody's roots", "[judge]") {
    World world;
    const Authority edge(leaf("mail1.contoso.com"), &world.root);
    auto judged = test::wait_for(world.judge.judge(world.request(edge, "typo.example")));
    CHECK_FALSE(judged);
    auto request = world.request(edge);
    request.scopes = {};
    CHECK_FALSE(test::wait_for(world.judge.judge(std::move(request))));
}

TEST_CASE("revocation is asked for only after a valid path was found, and with that path", "[judge]") {
    World world;
    const Authority foreign(ca("Foreign"));
    const Authority stranger(leaf("mail1.contoso.com"), &foreign);
    world.ask(world.request(stranger));
    CHECK(world.lists.asked == 0);
    const Authority edge(leaf("mail1.contoso.com"), &world.root);
    auto request = world.request(edge);
    request.may_fetch = true;
    world.ask(std::move(request));
    CHECK(world.lists.asked == 1);
    CHECK(world.lists.last.may_fetch);
    REQUIRE(world.lists.last.path.size() == 2);
    CHECK(world.lists.last.path[0] == edge.der());
    CHECK(world.lists.last.path[1] == world.root.der());
}

TEST_CASE("each standing of revocation has its verdict", "[judge]") {
    World world;
    const Authority edge(leaf("mail1.contoso.com"), &world.root);
    struct Row {
        RevocationStanding standing;
        std::string reason;
        Standing hard, soft;
    };
    const Row rows[] = {
        {RevocationStanding::good, "", Standing::valid, Standing::valid},
        {RevocationStanding::short_lived, "", Standing::valid, Standing::valid},
        {RevocationStanding::revoked, "revoked", Standing::invalid, Standing::invalid},
        {RevocationStanding::on_hold, "on-hold", Standing::invalid, Standing::invalid},
        {RevocationStanding::unknown, "crl-unreachable", Standing::undecided, Standing::valid},
        {RevocationStanding::unusable, "crl-unverifiable", Standing::undecided, Standing::valid},
        {RevocationStanding::no_source, "no-crl-source", Standing::undecided, Standing::valid},
        {static_cast<RevocationStanding>(77), "crl-unverifiable", Standing::undecided, Standing::valid},
    };
    for (const auto& row : rows) {
        CAPTURE(row.reason);
        ++world.lists.version;
        world.lists.next = {{row.standing, row.reason, "because", "list", {}}};
        auto hard = world.ask(world.request(edge));
        CHECK(hard.standing == row.hard);
        if (row.hard != Standing::valid) CHECK(hard.reason == row.reason);
        auto request = world.request(edge);
        request.revocation = RevocationMode::soft;
        CHECK(world.ask(std::move(request)).standing == row.soft);
    }
}

TEST_CASE("revocation off asks nobody", "[judge]") {
    World world;
    const Authority edge(leaf("mail1.contoso.com"), &world.root);
    auto request = world.request(edge);
    request.revocation = RevocationMode::off;
    const auto judged = world.ask(std::move(request));
    CHECK(judged.standing == Standing::valid);
    CHECK(judged.revocation == RevocationStanding::not_checked);
    CHECK(world.lists.asked == 0);
}

TEST_CASE("an answer that leaves a certificate out is undecided", "[judge]") {
    World world;
    const Authority issuing(ca("Issuing"), &world.root);
    const Authority edge(leaf("mail1.contoso.com"), &issuing);
    auto request = world.request(edge);
    request.chain.push_back(issuing.der());
    world.lists.next = {Lists::good()};  // two are needed
    const auto judged = world.ask(std::move(request));
    CHECK(judged.standing == Standing::undecided);
    CHECK(judged.reason == "plugin-failed");
}

TEST_CASE("an answer that comes later is waited for without the lane", "[judge]") {
    World world;
    const Authority edge(leaf("mail1.contoso.com"), &world.root);
    world.lists.later = true;
    auto pending = world.judge.judge(world.request(edge));
    CHECK_FALSE(pending.ready());
    world.lists.waiting();
    REQUIRE(pending.ready());
    CHECK(pending.take()->standing == Standing::valid);
}

TEST_CASE("where one path is revoked another that is not suffices", "[judge]") {
    World world;
    world.write("both.pem", world.root.pem() + world.partner_root.pem());
    world.scopes = world.load({{"", false, {world.folder.path("both.pem")}, {}}});
    const Authority issuing(ca("Issuing"), &world.root);
    const Authority crossed(ca("Issuing"), issuing, world.partner_root);
    const Authority edge(leaf("mail1.contoso.com"), &issuing);
    auto request = world.request(edge);
    request.chain = {edge.der(), issuing.der(), crossed.der()};
    const CertificateRevocation revoked{RevocationStanding::revoked, "revoked", "serial on the list", "list", {}};
    world.lists.answers = {{Lists::good(), revoked}, {Lists::good(), Lists::good()}};
    CHECK(world.ask(request).standing == Standing::valid);
    CHECK(world.lists.asked == 2);
    ++world.lists.version;
    world.lists.answers = {{Lists::good(), revoked}, {Lists::good(), revoked}};
    const auto both = world.ask(request);
    CHECK(both.standing == Standing::invalid);
    CHECK(both.reason == "revoked");
}

TEST_CASE("without the plugin crl a hard question is undecided", "[judge]") {
    test::FakeHost bare;
    World world;
    world.judge.use(bare);
    const Authority edge(leaf("mail1.contoso.com"), &world.root);
    const auto judged = world.ask(world.request(edge));
    CHECK(judged.standing == Standing::undecided);
    CHECK(judged.reason == "role-missing");
}

TEST_CASE("roots that cannot be read name every bad file", "[judge]") {
    World world;
    world.write("garbage.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    world.write("empty.pem", "no certificate in here\n");
    const auto loaded = world.judge.load_scopes(
        {{"",
          false,
          {world.folder.path("garbage.pem"), world.folder.path("empty.pem"), world.folder.path("gone")},
          {}}});
    REQUIRE_FALSE(loaded);
    CHECK(loaded.failure.text.find("garbage.pem") != std::string::npos);
    CHECK(loaded.failure.text.find("empty.pem") != std::string::npos);
    CHECK(loaded.failure.text.find("gone") != std::string::npos);
}

TEST_CASE("a leaf that the strict reader refuses is invalid", "[judge]") {
    World world;
    JudgeRequest request;
    request.chain = {{0x30, 0x03, 0x02, 0x01, 0x00}};
    request.scopes = world.scopes;
    request.at = std::chrono::system_clock::now();
    CHECK(world.ask(std::move(request)).standing == Standing::invalid);
}

TEST_CASE("what was settled is remembered for the same octets under the same terms, and for nothing else", "[judge]") {
    World world;
    const Authority edge(leaf("mail1.contoso.com"), &world.root);
    const auto first = world.ask(world.request(edge));
    CHECK(first.standing == Standing::valid);
    const auto asked_again = [&](const JudgeRequest& request) {
        const auto before = world.lists.asked;
        const auto judged = world.ask(request);
        CHECK(judged.sentence == first.sentence);
        CHECK(judged.path.size() == first.path.size());
        return world.lists.asked > before;
    };
    CHECK_FALSE(asked_again(world.request(edge)));
    const auto differing = [&](auto change) {
        auto request = world.request(edge);
        change(request);
        return request;
    };
    CHECK(asked_again(differing([](auto& one) { one.staple = {1}; })));
    CHECK(asked_again(differing([](auto& one) { one.purpose = Purpose::client; })));
    CHECK(asked_again(differing([](auto& one) { one.revocation = RevocationMode::soft; })));
    CHECK(asked_again(differing([](auto& one) { one.revocation_source = RevocationSource::always; })));
    CHECK(asked_again(differing([](auto& one) { one.crl_grace = std::chrono::seconds(1); })));
    CHECK(asked_again(differing([](auto& one) { one.may_fetch = true; })));
    CHECK(asked_again(differing([](auto& one) { one.at += std::chrono::minutes(11); })));
    CHECK(asked_again(differing([](auto& one) { one.at -= std::chrono::minutes(11); })));
    CHECK(asked_again(differing([&](auto& one) { one.chain.push_back(world.root.der()); })));
    world.lists.version = 2;
    CHECK(asked_again(world.request(edge)));
    CHECK_FALSE(asked_again(world.request(edge)));
    world.scopes = world.load({{"", false, {world.folder.path("root.pem")}, {}}});
    CHECK(asked_again(world.request(edge)));
    const auto lists_given = differing([](auto& one) { one.only_explicit_crls = true; });
    CHECK(asked_again(lists_given));
    CHECK(asked_again(lists_given));
}

TEST_CASE("what is remembered ends with the list or certificate that it rests on", "[judge]") {
    World world;
    auto brief = leaf("mail1.contoso.com");
    const Authority edge(brief, &world.root);
    auto ending = Lists::good();
    ending.valid_until = std::chrono::system_clock::now() + std::chrono::minutes(2);
    world.lists.next = {ending};
    CHECK(world.ask(world.request(edge)).standing == Standing::valid);
    auto later = world.request(edge);
    later.at += std::chrono::minutes(1);
    CHECK(world.ask(later).standing == Standing::valid);
    CHECK(world.lists.asked == 1);
    later.at += std::chrono::minutes(2);
    world.ask(later);
    CHECK(world.lists.asked == 2);
}

TEST_CASE("what could not be decided is asked again each time, what is revoked is remembered", "[judge]") {
    World world;
    const Authority edge(leaf("mail1.contoso.com"), &world.root);
    world.lists.next = {{RevocationStanding::unknown, "crl-unreachable", "not there", "", {}}};
    CHECK(world.ask(world.request(edge)).standing == Standing::undecided);
    CHECK(world.ask(world.request(edge)).standing == Standing::undecided);
    auto soft = world.request(edge);
    soft.revocation = RevocationMode::soft;
    CHECK(world.ask(soft).standing == Standing::valid);
    CHECK(world.ask(soft).standing == Standing::valid);
    CHECK(world.lists.asked == 4);
    world.lists.next = {{RevocationStanding::revoked, "revoked", "gone", "list", {}}};
    CHECK(world.ask(world.request(edge)).reason == "revoked");
    CHECK(world.ask(world.request(edge)).reason == "revoked");
    CHECK(world.lists.asked == 5);
}

TEST_CASE("a list that came while a chain was judged leaves nothing behind to remember", "[judge]") {
    World world;
    const Authority edge(leaf("mail1.contoso.com"), &world.root);
    world.lists.later = true;
    auto pending = world.judge.judge(world.request(edge));
    world.lists.version = 2;
    world.lists.waiting();
    CHECK(test::wait_for(std::move(pending)));
    world.lists.later = false;
    world.ask(world.request(edge));
    CHECK(world.lists.asked == 2);
}

TEST_CASE("the memory of judgements is bounded", "[judge]") {
    JudgementCache cache;
    Judgement judgement;
    judgement.standing = Standing::valid;
    JudgeRequest request;
    request.at = std::chrono::system_clock::now();
    for (std::size_t i = 0; i < JudgementCache::most_entries + 50; ++i) {
        request.chain = {Bytes{static_cast<std::uint8_t>(i >> 8), static_cast<std::uint8_t>(i)}};
        cache.keep(request, 1, judgement);
    }
    CHECK(cache.size() == JudgementCache::most_entries);
    CHECK(cache.find(request, 1));
    request.chain = {Bytes{0, 0}};
    CHECK_FALSE(cache.find(request, 1));
    request.chain = {Bytes(JudgementCache::longest_chain + 1)};
    cache.keep(request, 1, judgement);
    CHECK_FALSE(cache.find(request, 1));
}
