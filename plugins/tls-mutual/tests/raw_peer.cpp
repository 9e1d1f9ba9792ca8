// Peers that GnuTLS plays directly, with priorities and alerts that our engine would never use.
#include "raw_peer.hpp"

#include <catch2/catch.hpp>

using namespace tls_test;

namespace {

TlsStatus read_once(TlsSession& session) {
    std::uint8_t block[100];
    std::size_t count = 0;
    return session.read(block, count);
}

const Pair& pair() {
    static const Pair made = make_pair("mail1.contoso.com");
    return made;
}

}  // namespace

TEST_CASE("TLS 1.1 is refused by the server, with an alert", "[tls-mutual]") {
    tls_mutual::Engine engine;
    RawPeer client(GNUTLS_CLIENT, "NORMAL:-VERS-ALL:+VERS-TLS1.1:+SHA1:%COMPAT");
    auto server = *engine.accept({identity(engine, pair()), true, TlsVersion::tls12});
    CHECK(client.shake(*server) == TlsStatus::failed);
    CHECK(gnutls_alert_get(client.session()) == GNUTLS_A_PROTOCOL_VERSION);
}

TEST_CASE("TLS 1.2 gives its IANA cipher name and is refused where 1.3 is the minimum", "[tls-mutual]") {
    tls_mutual::Engine engine;
    RawPeer client(GNUTLS_CLIENT, "NORMAL:-VERS-ALL:+VERS-TLS1.2:-CIPHER-ALL:+AES-256-GCM");
    auto server = *engine.accept({identity(engine, pair()), true, TlsVersion::tls12});
    REQUIRE(client.shake(*server) == TlsStatus::ok);
    CHECK(server->facts().protocol == "TLS1.2");
    CHECK(server->facts().cipher == "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384");

    RawPeer again(GNUTLS_CLIENT, "NORMAL:-VERS-ALL:+VERS-TLS1.2");
    auto strict = *engine.accept({identity(engine, pair()), true, TlsVersion::tls13});
    CHECK(again.shake(*strict) == TlsStatus::failed);
}

TEST_CASE("renegotiation asked by a TLS 1.2 client ends the conversation", "[tls-mutual]") {
    tls_mutual::Engine engine;
    RawPeer client(GNUTLS_CLIENT, "NORMAL:-VERS-ALL:+VERS-TLS1.2");
    auto server = *engine.accept({identity(engine, pair()), true, TlsVersion::tls12});
    REQUIRE(client.shake(*server) == TlsStatus::ok);
    gnutls_handshake(client.session());
    client.exchange(*server);
    CHECK(read_once(*server) == TlsStatus::failed);
    CHECK(server->error().text.find("renegotiate") != std::string::npos);
}

TEST_CASE("our certificate goes out although the server names only other CAs", "[tls-mutual]") {
    tls_mutual::Engine engine;
    for (const auto* version : {"NORMAL:-VERS-ALL:+VERS-TLS1.2", "NORMAL:-VERS-ALL:+VERS-TLS1.3"}) {
        RawPeer server(GNUTLS_SERVER, version);
        server.use(pair());
        const auto stranger = make_pair("some other authority");
        const auto pem = RawPeer::text(stranger.certificate);
        must(gnutls_certificate_set_x509_trust_mem(server.credentials(), &pem, GNUTLS_X509_FMT_PEM));
        gnutls_certificate_server_set_request(server.session(), GNUTLS_CERT_REQUIRE);
        auto client = *engine.connect(
            {identity(engine, make_pair("mail1.woodgrovebank.com")), "mail1.contoso.com", TlsVersion::tls12});
        REQUIRE(server.shake(*client) == TlsStatus::ok);
        CHECK(client->facts().certificate_requested);
        CHECK(client->facts().own_certificate_sent);
        unsigned count = 0;
        CHECK(gnutls_certificate_get_peers(server.session(), &count) != nullptr);
        CHECK(count == 1);
    }
}

TEST_CASE("an alert about our certificate after the handshake is told from any other", "[tls-mutual]") {
    struct Row {
        gnutls_alert_description_t alert;
        const char* name;
        bool refused;
    };
    tls_mutual::Engine engine;
    for (const auto& row :
         {Row{GNUTLS_A_UNKNOWN_CA, "unknown_ca", true}, Row{GNUTLS_A_BAD_CERTIFICATE, "bad_certificate", true},
          Row{GNUTLS_A_CERTIFICATE_EXPIRED, "certificate_expired", true},
          Row{GNUTLS_A_INTERNAL_ERROR, "internal_error", false}}) {
        RawPeer server(GNUTLS_SERVER, "NORMAL");
        server.use(pair());
        gnutls_certificate_server_set_request(server.session(), GNUTLS_CERT_REQUEST);
        auto client = *engine.connect({identity(engine, pair()), "", TlsVersion::tls12});
        REQUIRE(server.shake(*client) == TlsStatus::ok);
        // Tickets and key updates come first: neither is data, neither is silence.
        must(gnutls_session_key_update(server.session(), 0));
        server.exchange(*client);
        CHECK(read_once(*client) == TlsStatus::want_input);
        must(gnutls_alert_send(server.session(), GNUTLS_AL_FATAL, row.alert));
        server.exchange(*client);
        CHECK(read_once(*client) == TlsStatus::failed);
        CHECK(client->error().alert == row.name);
        CHECK(client->error().own_certificate_refused == row.refused);
    }
}
