#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <fstream>
#include <future>
#include <postern/testing/fake_host.hpp>
#include <support/authority.hpp>
#include <support/loopback.hpp>
#include <tls-mutual/facts.hpp>
#include <tls-mutual/judge.hpp>
#include <tls-mutual/store/keeper.hpp>
#include <tls-mutual/store/making.hpp>

using namespace postern;
using namespace postern::tls_mutual;

namespace {

constexpr std::chrono::hours day{24};

// The daemon's part over a store of its own; the clock is the test's.
struct Daemon {
    Daemon() {
        host.state = folder.path("state");
        host.configured.file = "postern.conf";
        host.configured.fqdn = "mail1.contoso.com";
        host.configured.connectors = {{ConnectorKind::receive, "Inet", "mail1.contoso.com", {}, {}, true, true},
                                      {ConnectorKind::send, "Internet", "mail1.contoso.com", {}, {}, true, true}};
        host.domains = {"contoso.com", "mail1.contoso.com"};
        judge.use(host);
        keeper.use(host);
    }
    CertificateStore store() const { return CertificateStore(keeper.folder()); }
    std::vector<StoredCertificate> certificates() const { return store().read().certificates; }
    std::string shown(CertificateUse use = CertificateUse::server) {
        const auto identity = keeper.choose({"mail1.contoso.com", use, {}});
        return identity ? identity->certificate().sha256 : std::string();
    }
    std::size_t logged(const std::string& part) const {
        return static_cast<std::size_t>(
            std::ranges::count_if(host.logged, [&](const auto& line) { return line.find(part) != line.npos; }));
    }
    // As `cert new --services smtp`.
    std::string add(std::chrono::hours lifetime) {
        CertificateTerms terms;
        terms.subject.values.push_back({NamePart::common, "mail1.contoso.com"});
        terms.dns_names = {"mail1.contoso.com"};
        terms.lifetime = lifetime;
        const auto key = make_key(KeyType::p256);
        const auto pem = key_to_pem(key->get());
        const auto der = make_self_signed(terms, key->get(), host.now());
        const auto lock = store().lock();
        REQUIRE(store().add({"", false, true, Origin::self_signed, ""}, {*der}, *pem));
        return read_facts(*der)->sha256;
    }

    test::TemporaryFolder folder;
    test::FakeHost host;
    Judge judge{"/nonexistent"};
    Keeper keeper{judge};
};

}  // namespace

TEST_CASE("the first start makes one certificate for all our names, the second none", "[tls-mutual]") {
    Daemon daemon;
    CHECK(daemon.shown().empty());
    daemon.keeper.apply();
    daemon.keeper.apply();
    const auto all = daemon.certificates();
    REQUIRE(all.size() == 1);
    CHECK(all[0].about.origin == Origin::automatic);
    CHECK(all[0].leaf.dns_names == std::vector<std::string>{"mail1.contoso.com", "contoso.com"});
    CHECK(all[0].leaf.not_after - daemon.host.now() > day * 364);
    CHECK(daemon.shown() == all[0].leaf.sha256);
    CHECK(daemon.shown(CertificateUse::client).empty());
    CHECK(daemon.logged("certificate-made") == 1);
}

TEST_CASE("it is renewed before it ends, the old one stays until then", "[tls-mutual]") {
    Daemon daemon;
    daemon.keeper.apply();
    const auto first = daemon.shown();
    daemon.host.set_clock(daemon.host.now() + day * 334);
    (void)daemon.keeper.take_up();
    CHECK(daemon.shown() == first);
    daemon.host.set_clock(daemon.host.now() + day * 2);
    (void)daemon.keeper.take_up();
    CHECK(daemon.certificates().size() == 2);
    CHECK(daemon.shown() != first);
    daemon.host.set_clock(daemon.host.now() + day * 30);
    (void)daemon.keeper.take_up();
    REQUIRE(daemon.certificates().size() == 1);
    CHECK(daemon.certificates()[0].leaf.sha256 == daemon.shown());
}

TEST_CASE("a new name of ours makes a new one, a certificate of somebody's own making none", "[tls-mutual]") {
    Daemon daemon;
    daemon.keeper.apply();
    daemon.host.domains.emplace_back("fabrikam.com");
    daemon.keeper.apply();
    REQUIRE(daemon.certificates().size() == 1);
    CHECK(daemon.certificates()[0].leaf.dns_names.back() == "fabrikam.com");
    Daemon other;
    const auto own = other.add(day * 90);
    other.keeper.apply();
    REQUIRE(other.certificates().size() == 1);
    CHECK(other.shown() == own);
    CHECK(other.shown(CertificateUse::client) == own);
}

TEST_CASE("connectors that name files need none", "[tls-mutual]") {
    Daemon daemon;
    for (auto& connector : daemon.host.configured.connectors) {
        connector.certificate = "edge";
        connector.chain_file = "/etc/postern/edge.pem";
    }
    daemon.keeper.apply();
    CHECK(daemon.certificates().empty());
}

TEST_CASE("an end is told once a step, and an alarm where mail of listed domains will stop", "[tls-mutual]") {
    Daemon daemon;
    daemon.host.configured.send_list = daemon.host.configured.receive_list = {"woodgrovebank.com"};
    const auto own = daemon.add(day * 40);
    (void)daemon.keeper.take_up();
    CHECK(daemon.logged("certificate-ending") == 0);
    CHECK(daemon.host.alarms.empty());
    const auto gauge = "postern_own_certificate_not_after_seconds{sha256=\"" + own + "\"}";
    CHECK(daemon.host.counted.contains(gauge));
    const auto began = daemon.host.now();
    for (const auto& [days, lines] : {std::pair{11, 1}, {15, 1}, {25, 1}, {27, 2}, {34, 3}, {39, 4}}) {
        daemon.host.set_clock(began + day * days + std::chrono::hours(1));
        (void)daemon.keeper.take_up();
        (void)daemon.keeper.take_up();
        INFO(days);
        CHECK(daemon.logged("certificate-ending") == static_cast<std::size_t>(lines));
        CHECK(daemon.host.alarms.empty() == (days < 26));
    }
    const auto& alarm = daemon.host.alarms["own-certificate send_connector Internet"];
    CHECK(alarm.find("mail of woodgrovebank.com stops, since its certificate") != std::string::npos);
    CHECK(alarm.find("there is no later one") != std::string::npos);
    // A later one ends the alarm; until the old one ends, both are there.
    daemon.add(day * 90);
    (void)daemon.keeper.take_up();
    CHECK(daemon.host.alarms.empty());
    CHECK(daemon.shown() != own);
}

TEST_CASE("the time stamp of a certificate that was removed ends", "[tls-mutual]") {
    Daemon daemon;
    const auto own = daemon.add(day * 40);
    (void)daemon.keeper.take_up();
    const auto gauge = "postern_own_certificate_not_after_seconds{sha256=\"" + own + "\"}";
    CHECK(daemon.host.counted.at(gauge) > 0);
    REQUIRE(daemon.store().remove(daemon.certificates().front()));
    (void)daemon.keeper.take_up();
    CHECK(std::isnan(daemon.host.counted.at(gauge)));
}

namespace {

// Connectors that name a file, as the configuration does; the clock is the test's.
struct NamingDaemon : Daemon {
    NamingDaemon() {
        host.configured.send_list = host.configured.receive_list = {"woodgrovebank.com"};
        for (auto& connector : host.configured.connectors) {
            connector.certificate = "edge";
            connector.chain_file = file;
        }
        test::write_file(folder.path("root.pem"), root.pem());
        host.configured.trust = {"", false, {folder.path("root.pem")}, {}};
        keeper.apply();
    }
    // What the file holds from now on.
    std::string put(const test::Authority& issuer, int days) {
        const auto from_now = host.now() + day * days - std::chrono::system_clock::now();
        const test::Authority leaf({.name = "mail1.contoso.com",
                                    .dns_names = {"mail1.contoso.com"},
                                    .ends = std::chrono::duration_cast<std::chrono::hours>(from_now)},
                                   &issuer);
        test::write_file(file, leaf.pem());
        return read_facts(leaf.der())->sha256;
    }
    void reload() {
        keeper.saw({Event::config_reloaded, host.now()});
        settle();
    }
    void an_hour_later() {
        host.set_clock(host.now() + std::chrono::hours(1));
        host.run_timers();
        settle();
    }
    void settle() {  // what was offloaded is done
        std::promise<void> done;
        host.offload([&] { done.set_value(); });
        done.get_future().wait();
    }
    std::string alarm(const std::string& subject) { return host.alarms["own-certificate " + subject]; }

    std::string file = folder.path("edge.pem");
    test::Authority root{{.name = "Root", .ca = true, .ends = day * 365}},
        foreign{{.name = "Foreign", .ca = true, .ends = day * 365}};
};

}  // namespace

TEST_CASE("a certificate that is named by file is watched like one of the store", "[tls-mutual]") {
    NamingDaemon daemon;
    const auto own = daemon.put(daemon.root, 40);
    daemon.reload();
    CHECK(daemon.host.alarms.empty());
    CHECK(daemon.logged("certificate-ending") == 0);
    CHECK(daemon.host.counted.contains("postern_own_certificate_not_after_seconds{sha256=\"" + own + "\"}"));
    const auto began = daemon.host.now();
    for (const auto& [days, lines] : {std::pair{11, 1}, {15, 1}, {27, 2}, {34, 3}, {39, 4}}) {
        daemon.host.set_clock(began + day * days);
        daemon.an_hour_later();
        daemon.an_hour_later();
        INFO(days);
        CHECK(daemon.logged("certificate-ending: our certificate " + daemon.file +
                            " (mail1.contoso.com) ends within") == static_cast<std::size_t>(lines));
        CHECK(daemon.host.alarms.empty() == (days < 26));
    }
    CHECK(daemon.logged("put its successor into the same files and reload") == 4);
    CHECK(daemon.alarm("receive_connector Inet").find("mail of woodgrovebank.com stops") != std::string::npos);
    // Its successor lies there: shown only after the reload, and so it is said.
    daemon.put(daemon.root, 90);
    daemon.an_hour_later();
    CHECK(daemon.alarm("send_connector Internet").find("holds another one already") != std::string::npos);
    daemon.reload();
    CHECK_FALSE(daemon.host.alarms.contains("own-certificate send_connector Internet"));
    CHECK_FALSE(daemon.host.alarms.contains("own-certificate receive_connector Inet"));
}

TEST_CASE("a certificate that is named by file is validated when it is loaded, and each hour", "[tls-mutual]") {
    NamingDaemon daemon;
    const auto bad = daemon.put(daemon.foreign, 90).substr(0, 16);
    daemon.reload();
    CHECK(daemon.alarm(bad).find("our certificate " + daemon.file) == 0);
    CHECK(daemon.alarm(bad).find("is not valid: ") != std::string::npos);
    // Its root is taken in: the next hour finds it good.
    test::write_file(daemon.folder.path("root.pem"), daemon.root.pem() + daemon.foreign.pem());
    daemon.an_hour_later();
    CHECK(daemon.host.alarms.empty());
    // And the other way: what was good yesterday fails today.
    test::write_file(daemon.folder.path("root.pem"), daemon.root.pem());
    daemon.an_hour_later();
    CHECK(daemon.alarm(bad).find("is not valid: ") != std::string::npos);
    daemon.put(daemon.root, 90);
    daemon.reload();
    CHECK(daemon.host.alarms.count("own-certificate " + bad) == 0);
}

TEST_CASE("what ends while nobody looks is not shown any more", "[tls-mutual]") {
    Daemon daemon;
    const auto longer = daemon.add(day * 3), shorter = daemon.add(day * 2);
    daemon.keeper.apply();
    CHECK(daemon.shown() == longer);
    CHECK(daemon.keeper.choose({"mail1.contoso.com", CertificateUse::server, shorter}));
    daemon.host.set_clock(daemon.host.now() + day * 4);
    CHECK(daemon.shown().empty());
}

TEST_CASE("a file of the store that cannot be read costs nobody else", "[tls-mutual]") {
    Daemon daemon;
    const auto good = daemon.add(day * 90), broken = daemon.add(day * 99);
    // A certificate whose key is another's: found out when it is to be used.
    const auto contents = daemon.store().read();
    const auto file = [&](const std::string& sha256) { return daemon.keeper.folder() + "/" + sha256 + ".pem"; };
    const auto taken = daemon.store().open(file(good));
    const auto about = contents.certificates.front().about;
    for (const auto& one : contents.certificates)
        if (one.leaf.sha256 == broken) {
            Secret key;
            const auto block = key_block(taken->text());
            key.bytes.assign(block.begin(), block.end());
            const auto lock = daemon.store().lock();
            REQUIRE(daemon.store().add(about, one.chain, key));
        }
    daemon.keeper.apply();
    CHECK(daemon.shown() == good);
    CHECK(daemon.logged("is not the key of the certificate") == 1);
}

TEST_CASE("a certificate whose validation fails is an alarm and stands behind, until it is taken out", "[tls-mutual]") {
    Daemon daemon;
    const test::Authority root({.name = "Root", .ca = true}), foreign({.name = "Foreign", .ca = true});
    std::ofstream(daemon.folder.path("root.pem")) << root.pem();
    daemon.host.configured.trust = {"", false, {daemon.folder.path("root.pem")}, {}};
    const auto add = [&](const test::Authority& issuer, int days) {
        const test::Authority leaf({.name = "mail1.contoso.com",
                                    .dns_names = {"mail1.contoso.com"},
                                    .purposes = {GNUTLS_KP_TLS_WWW_SERVER, GNUTLS_KP_TLS_WWW_CLIENT},
                                    .ends = day * days},
                                   &issuer);
        Secret key;
        const auto pem = leaf.key_pem();
        key.bytes.assign(pem.begin(), pem.end());
        const auto lock = daemon.store().lock();
        REQUIRE(daemon.store().add({"", false, true, Origin::imported, ""}, {leaf.der()}, key));
        return read_facts(leaf.der())->sha256;
    };
    const auto bad = add(foreign, 90), good = add(root, 30);
    (void)daemon.keeper.take_up();
    CHECK(daemon.shown() == good);
    const auto subject = "own-certificate " + bad.substr(0, 16);
    REQUIRE(daemon.host.alarms.contains(subject));
    CHECK(daemon.host.alarms[subject].find("is not valid") != std::string::npos);
    CHECK_FALSE(daemon.host.alarms.contains("own-certificate " + good.substr(0, 16)));
    for (const auto& one : daemon.certificates())
        if (one.leaf.sha256 == bad) REQUIRE(daemon.store().remove(one));
    (void)daemon.keeper.take_up();
    CHECK(daemon.host.alarms.empty());
}
