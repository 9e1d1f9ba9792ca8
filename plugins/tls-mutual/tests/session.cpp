// Two engines against each other in memory, and raw GnuTLS where the peer must misbehave.
#include <catch2/catch.hpp>

#include "pki.hpp"

using namespace tls_test;

namespace {

const Pair& server_pair() {
    static const Pair pair = make_pair("mail1.contoso.com");
    return pair;
}
const Pair& client_pair() {
    static const Pair pair = make_pair("mail1.woodgrovebank.com", GNUTLS_PK_RSA);
    return pair;
}

struct Wish {
    bool request = true;
    bool client_has_certificate = true;
    TlsVersion server_minimum = TlsVersion::tls12;
    std::string server_name = "mail1.contoso.com";
};

Ends ends(tls_mutual::Engine& engine, const Wish& wish = {}) {
    TlsServerOptions server{identity(engine, server_pair()), wish.request, wish.server_minimum};
    TlsClientOptions client{{}, wish.server_name, TlsVersion::tls12};
    if (wish.client_has_certificate) client.identity = identity(engine, client_pair());
    return {*engine.connect(client), *engine.accept(server)};
}

Bytes octets(std::string_view text) { return {text.begin(), text.end()}; }

}  // namespace

TEST_CASE("two ends agree and each sees the other's chain, however the octets dribble", "[tls-mutual]") {
    tls_mutual::Engine engine;
    for (const std::size_t step : {std::size_t{1}, std::size_t{7}, std::size_t{1} << 20}) {
        auto both = ends(engine);
        both.shake(step);
        REQUIRE(both.client_status == TlsStatus::ok);
        REQUIRE(both.server_status == TlsStatus::ok);
        const auto& client = both.client->facts();
        const auto& server = both.server->facts();
        CHECK(client.version == TlsVersion::tls13);
        CHECK(client.protocol == "TLS1.3");
        CHECK(client.cipher.starts_with("TLS_"));
        CHECK(client.cipher == server.cipher);
        CHECK(client.certificate_requested);
        CHECK(client.own_certificate_sent);
        CHECK(server.own_certificate_sent);
        CHECK_FALSE(client.resumed);
        CHECK(server.server_name == "mail1.contoso.com");
        REQUIRE(client.peer_chain.size() == 1);
        REQUIRE(server.peer_chain.size() == 1);
        CHECK(client.peer_chain[0].der == identity(engine, server_pair())->chain()[0]);
        CHECK(server.peer_chain[0].der == identity(engine, client_pair())->chain()[0]);
        CHECK(server.peer_chain[0].dns_names == std::vector<std::string>{"mail1.woodgrovebank.com"});
    }
}

TEST_CASE("data crosses both ways, in pieces larger than a record", "[tls-mutual]") {
    tls_mutual::Engine engine;
    auto both = ends(engine);
    both.shake();
    const std::string large(100'000, 'x');
    REQUIRE(say(*both.client, large) == TlsStatus::ok);
    std::string got;
    TlsStatus status = TlsStatus::ok;
    carry(*both.client, *both.server, 777, [&](TlsSession& server) { got += read_all(server, status); });
    CHECK(status == TlsStatus::want_input);
    CHECK(got == large);
    REQUIRE(say(*both.server, "250 ok\r\n") == TlsStatus::ok);
    carry(*both.server, *both.client, 1, [&](TlsSession&) {});
    CHECK(read_all(*both.client, status) == "250 ok\r\n");
}

TEST_CASE("a client without certificate passes the handshake and shows an empty chain", "[tls-mutual]") {
    tls_mutual::Engine engine;
    auto both = ends(engine, {.client_has_certificate = false});
    both.shake();
    REQUIRE(both.server_status == TlsStatus::ok);
    REQUIRE(both.client_status == TlsStatus::ok);
    CHECK(both.server->facts().peer_chain.empty());
    CHECK(both.client->facts().certificate_requested);
    CHECK_FALSE(both.client->facts().own_certificate_sent);
}

TEST_CASE("a server that does not ask is remembered as not having asked", "[tls-mutual]") {
    tls_mutual::Engine engine;
    auto both = ends(engine, {.request = false});
    both.shake();
    REQUIRE(both.client_status == TlsStatus::ok);
    CHECK_FALSE(both.client->facts().certificate_requested);
    CHECK_FALSE(both.client->facts().own_certificate_sent);
    CHECK(both.server->facts().peer_chain.empty());
}

TEST_CASE("no SNI is sent where none is wanted", "[tls-mutual]") {
    tls_mutual::Engine engine;
    auto both = ends(engine, {.server_name = ""});
    both.shake();
    REQUIRE(both.server_status == TlsStatus::ok);
    CHECK(both.server->facts().server_name.empty());
}

TEST_CASE("close_notify ends reading and is told from silence", "[tls-mutual]") {
    tls_mutual::Engine engine;
    auto both = ends(engine);
    both.shake();
    say(*both.client, "QUIT\r\n");
    both.client->close();
    TlsStatus status = TlsStatus::ok;
    carry(*both.client, *both.server, 1u << 20, [](TlsSession&) {});
    CHECK(read_all(*both.server, status) == "QUIT\r\n");
    CHECK(status == TlsStatus::closed);
    CHECK(say(*both.client, "more") == TlsStatus::closed);
    both.server->close();
    both.server->close();
    CHECK_FALSE(drained(*both.server).empty());
}

TEST_CASE("clear text, garbage and an oversized record fail the handshake with an alert and no data", "[tls-mutual]") {
    tls_mutual::Engine engine;
    const std::vector<std::string> junks{std::string("EHLO mail1.contoso.com\r\n"), std::string(5000, '\xff'),
                                         std::string("\x16\x03\x01\xff\xff", 5) + std::string(300, 'a')};
    for (const auto& junk : junks) {
        auto both = ends(engine);
        both.server->feed(octets(junk));
        CHECK(both.server->handshake() == TlsStatus::failed);
        CHECK_FALSE(both.server->error().text.empty());
        CHECK(both.server->handshake() == TlsStatus::failed);
        std::uint8_t block[10];
        std::size_t count = 0;
        CHECK(both.server->read(block, count) == TlsStatus::failed);
        CHECK(say(*both.server, "220 clear") == TlsStatus::failed);
    }
}

TEST_CASE("a handshake that stops half way waits for ever and yields nothing", "[tls-mutual]") {
    tls_mutual::Engine engine;
    auto both = ends(engine);
    both.client->handshake();
    auto hello = drained(*both.client);
    hello.resize(hello.size() / 2);
    both.server->feed(hello);
    CHECK(both.server->handshake() == TlsStatus::want_input);
    CHECK(both.server->handshake() == TlsStatus::want_input);
    CHECK(both.server->facts().version == TlsVersion::unknown);
    CHECK(drained(*both.server).empty());
}

TEST_CASE("one octet changed on the way fails the conversation", "[tls-mutual]") {
    tls_mutual::Engine engine;
    auto both = ends(engine);
    both.shake();
    say(*both.client, "MAIL FROM:<a@contoso.com>\r\n");
    auto record = drained(*both.client);
    record.back() ^= 1;
    both.server->feed(record);
    TlsStatus status = TlsStatus::ok;
    CHECK(read_all(*both.server, status).empty());
    CHECK(status == TlsStatus::failed);
    CHECK_FALSE(both.server->error().own_certificate_refused);
}

TEST_CASE("reading or writing before the handshake is refused", "[tls-mutual]") {
    tls_mutual::Engine engine;
    auto both = ends(engine);
    CHECK(say(*both.client, "MAIL") == TlsStatus::failed);
    std::uint8_t block[10];
    std::size_t count = 0;
    CHECK(both.server->read(block, count) == TlsStatus::failed);
}

TEST_CASE("an engine serves nothing without a certificate", "[tls-mutual]") {
    tls_mutual::Engine engine;
    CHECK_FALSE(engine.accept({}));
}

TEST_CASE("the handshake stops at the client hello until certificate and request are chosen", "[tls-mutual]") {
    tls_mutual::Engine engine;
    const auto other = make_pair("mx.fabrikam.com");
    for (const auto version : {TlsVersion::tls12, TlsVersion::tls13}) {
        TlsServerOptions options{identity(engine, server_pair()), false, version};
        options.choose_on_hello = true;
        TlsClientOptions client{identity(engine, client_pair()), "mx.fabrikam.com", TlsVersion::tls12};
        Ends both{*engine.connect(client), *engine.accept(options)};
        both.shake();
        REQUIRE(both.server_status == TlsStatus::hello);
        CHECK(both.server->facts().server_name == "mx.fabrikam.com");
        CHECK(both.server->handshake() == TlsStatus::hello);
        both.server->choose({identity(engine, other), true});
        both.shake();
        REQUIRE(both.server_status == TlsStatus::ok);
        REQUIRE(both.client_status == TlsStatus::ok);
        CHECK(both.client->facts().peer_chain.at(0).dns_names == std::vector<std::string>{"mx.fabrikam.com"});
        CHECK(both.server->facts().peer_chain.size() == 1);
    }
}
