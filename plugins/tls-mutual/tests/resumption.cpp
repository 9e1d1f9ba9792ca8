// Sessions that continue an earlier one: what must be alike, what is single use, and that everything else is a whole
// handshake.
#include <atomic>
#include <catch2/catch.hpp>
#include <thread>

#include "raw_peer.hpp"

using namespace tls_test;

namespace {

struct World {
    tls_mutual::Engine engine;
    Ref<TlsIdentity> server = identity(engine, make_pair("mail1.contoso.com"));
    Ref<TlsIdentity> client = identity(engine, make_pair("mail1.woodgrovebank.com"));
    std::string receive = "Inet 1", send = "contoso.com mutual";
    bool ask = true, anew = false, offered = false;

    // A whole conversation: handshake, a word each way (which brings the tickets), the end.
    Ends talk() {
        auto connected = engine.connect(TlsClientOptions{client, "mail1.contoso.com", TlsVersion::tls12}, send, anew);
        auto accepted = engine.accept(TlsServerOptions{server, ask, TlsVersion::tls12}, receive);
        REQUIRE(connected);
        REQUIRE(accepted);
        offered = connected->offers;
        Ends both{connected->session, *accepted};
        both.shake();
        REQUIRE(both.client_status == TlsStatus::ok);
        REQUIRE(both.server_status == TlsStatus::ok);
        say(*both.server, "250 ");
        carry(*both.server, *both.client, 1u << 20, [](TlsSession&) {});
        TlsStatus status{};
        CHECK(read_all(*both.client, status) == "250 ");
        CHECK(both.client->facts().resumed == both.server->facts().resumed);
        return both;
    }
    bool resumes() { return talk().server->facts().resumed; }
};

}  // namespace

TEST_CASE("a session is continued, with both chains and all that the handshake established", "[tls-mutual]") {
    World world;
    const auto first = world.talk();
    CHECK_FALSE(world.offered);
    CHECK_FALSE(first.server->facts().resumed);
    const auto second = world.talk();
    CHECK(world.offered);
    REQUIRE(second.server->facts().resumed);
    const auto &here = second.server->facts(), &there = second.client->facts();
    REQUIRE(here.peer_chain.size() == 1);
    CHECK(here.peer_chain[0].der == first.server->facts().peer_chain[0].der);
    CHECK(here.own_certificate_sent);
    REQUIRE(there.peer_chain.size() == 1);
    CHECK(there.peer_chain[0].der == first.client->facts().peer_chain[0].der);
    CHECK(there.certificate_requested);
    CHECK(there.own_certificate_sent);
    const auto* shown = static_cast<tls_mutual::Session&>(*second.client).presented();
    REQUIRE(shown);
    CHECK(shown->facts.sha256 == world.client->certificate().sha256);
    CHECK(world.resumes());
}

TEST_CASE("what is not alike is not continued", "[tls-mutual]") {
    World world;
    world.talk();
    SECTION("another connector, or a newer generation of its configuration") { world.receive = "Inet 2"; }
    SECTION("our certificate was exchanged") { world.server = identity(world.engine, make_pair("mail1.contoso.com")); }
    SECTION("no certificate is asked for") { world.ask = false; }
    SECTION("another destination, or another requirement") { world.send = "contoso.com tls"; }
    SECTION("the client's own certificate was exchanged") {
        world.client = identity(world.engine, make_pair("mail1.woodgrovebank.com"));
    }
    SECTION("the client has no certificate any more") { world.client = {}; }
    SECTION("it was forgotten") { world.engine.forget(world.send); }
    SECTION("it is to be anew") { world.anew = true; }
    CHECK_FALSE(world.resumes());
}

TEST_CASE("what is forgotten for one scope is kept for others, also for those whose names begin alike",
          "[tls-mutual]") {
    World world;
    world.talk();
    world.engine.forget("contoso.com");
    CHECK(world.resumes());
}

TEST_CASE("a ticket is offered once, and each continued session brings the next", "[tls-mutual]") {
    World world;
    world.talk();
    auto one = world.engine.connect({world.client, "mail1.contoso.com", TlsVersion::tls12}, world.send, false);
    auto two = world.engine.connect({world.client, "mail1.contoso.com", TlsVersion::tls12}, world.send, false);
    CHECK(one->offers);
    CHECK_FALSE(two->offers);
    world.talk();
    for (int i = 0; i < 5; ++i) CHECK(world.resumes());
}

TEST_CASE("a session whose scope nobody named gives no ticket and takes none", "[tls-mutual]") {
    World world;
    RawPeer first(GNUTLS_CLIENT, "NORMAL:-VERS-ALL:+VERS-TLS1.3");
    auto server = *world.engine.accept({world.server, false, TlsVersion::tls12});
    REQUIRE(first.shake(*server) == TlsStatus::ok);
    first.read();
    CHECK((gnutls_session_get_flags(first.session()) & GNUTLS_SFLAGS_SESSION_TICKET) == 0);
    world.talk();
    auto client = *world.engine.connect({world.client, "mail1.contoso.com", TlsVersion::tls12});
    Ends both{client, *world.engine.accept({world.server, true, TlsVersion::tls12}, world.receive)};
    both.shake();
    CHECK_FALSE(both.server->facts().resumed);
}

namespace {

// A client that GnuTLS plays against the engine, again and again.
struct RawWorld : World {
    std::string priority = "NORMAL:-VERS-ALL:+VERS-TLS1.3", early;
    Pair pair = make_pair("mail1.woodgrovebank.com");
    bool with_certificate = true;
    Bytes kept;         // of the last conversation; empty: there is nothing to continue it by
    Bytes hello;        // with which it began
    std::string heard;  // by the server

    TlsFacts raw_talk(const Bytes& data = {}) {
        RawPeer peer(GNUTLS_CLIENT | (early.empty() ? 0u : static_cast<unsigned>(GNUTLS_ENABLE_EARLY_DATA)),
                     priority.c_str());
        if (with_certificate) peer.use(pair);
        if (!data.empty()) gnutls_session_set_data(peer.session(), data.data(), data.size());
        if (!early.empty()) gnutls_record_send_early_data(peer.session(), early.data(), early.size());
        auto accepted = *engine.accept(TlsServerOptions{server, ask, TlsVersion::tls12}, receive);
        if (peer.shake(*accepted) != TlsStatus::ok) return {};
        say(*accepted, "250 ");
        peer.exchange(*accepted);
        for (int i = 0; i < 3; ++i) peer.read();
        TlsStatus status{};
        heard = read_all(*accepted, status);
        CHECK(status == TlsStatus::want_input);
        hello = peer.hello;
        const bool ticket = gnutls_session_get_flags(peer.session()) & GNUTLS_SFLAGS_SESSION_TICKET;
        kept = ticket || accepted->facts().version == TlsVersion::tls12 ? peer.data() : Bytes();
        return accepted->facts();
    }
};

// The ticket is what goes out as it was kept.
std::pair<std::size_t, std::size_t> ticket_within(const Bytes& kept, const Bytes& hello) {
    constexpr std::size_t window = 64;
    std::size_t begin = 0, end = 0;
    for (std::size_t at = 0; at + window <= kept.size(); ++at) {
        const auto first = kept.begin() + static_cast<std::ptrdiff_t>(at);
        if (std::search(hello.begin(), hello.end(), first, first + window) == hello.end()) continue;
        if (end == 0) begin = at;
        end = at + window;
    }
    // Its length stands before it, here as there.
    if (kept[begin] * 256u + kept[begin + 1] == end - begin - 2) begin += 2;
    return {begin, end};
}

constexpr const char* tls12 = "NORMAL:-VERS-ALL:+VERS-TLS1.2";

}  // namespace

TEST_CASE("another implementation continues its session too, and nothing that it says early is heard", "[tls-mutual]") {
    RawWorld world;
    SECTION("TLS 1.3") {}
    SECTION("TLS 1.3, by one that sends early") { world.early = "MAIL FROM:<a@woodgrovebank.com>"; }
    SECTION("TLS 1.2") { world.priority = tls12; }
    const auto first = world.raw_talk();
    REQUIRE_FALSE(world.kept.empty());
    const auto second = world.raw_talk(world.kept);
    CHECK(second.resumed);
    REQUIRE(second.peer_chain.size() == 1);
    CHECK(second.peer_chain[0].der == first.peer_chain[0].der);
    CHECK(world.heard.empty());
}

TEST_CASE("a client that has a certificate by now is asked for it, whatever it continues", "[tls-mutual]") {
    RawWorld world;
    world.with_certificate = false;
    SECTION("TLS 1.3: there is no ticket without one") {
        world.raw_talk();
        CHECK(world.kept.empty());
    }
    SECTION("TLS 1.2: the ticket is not taken") {
        world.priority = tls12;
        world.raw_talk();
        const auto bare = world.kept;
        REQUIRE_FALSE(bare.empty());
        CHECK_FALSE(world.raw_talk(bare).resumed);
        world.with_certificate = true;
        const auto facts = world.raw_talk(bare);
        CHECK_FALSE(facts.resumed);
        CHECK(facts.peer_chain.size() == 1);
    }
    SECTION("where none is asked for, a session without one is continued") {
        world.ask = false;
        world.raw_talk();
        CHECK(world.raw_talk(world.kept).resumed);
    }
}

TEST_CASE("a client that was not asked continues nothing where it is asked", "[tls-mutual]") {
    RawWorld world;
    for (const auto* priority : {"NORMAL:-VERS-ALL:+VERS-TLS1.3", tls12}) {
        world.priority = priority;
        world.ask = false;
        world.raw_talk();
        REQUIRE_FALSE(world.kept.empty());
        world.ask = true;
        const auto facts = world.raw_talk(world.kept);
        CHECK_FALSE(facts.resumed);
        CHECK(facts.peer_chain.size() == 1);
    }
}

TEST_CASE("a damaged ticket is a whole handshake", "[tls-mutual]") {
    RawWorld world;
    for (const auto* priority : {"NORMAL:-VERS-ALL:+VERS-TLS1.3", tls12}) {
        world.priority = priority;
        world.raw_talk();
        const auto whole = world.kept;
        CHECK(world.raw_talk(whole).resumed);
        const auto [begin, end] = ticket_within(whole, world.hello);
        REQUIRE(end > begin + 500);  // the client's chain is in it
        for (std::size_t at = begin; at < end; at += at < begin + 40 ? 1 : 37) {
            auto damaged = whole;
            damaged[at] ^= 0x10;
            const auto facts = world.raw_talk(damaged);
            CHECK(facts.version != TlsVersion::unknown);
            CHECK_FALSE(facts.resumed);
            CHECK(facts.peer_chain.size() == 1);
        }
    }
}

TEST_CASE("a chain too large for a ticket gets none; TLS 1.2 gives one to whatever its handshake takes",
          "[tls-mutual]") {
    RawWorld world;
    world.pair = make_pair("mail1.woodgrovebank.com", GNUTLS_PK_ECDSA, 9000);
    CHECK(world.raw_talk().peer_chain.size() == 1);
    CHECK(world.kept.empty());
    world.priority = tls12;
    std::size_t taken = 0;
    for (std::size_t octets = 8000; octets < 64000; octets += 4000) {
        world.pair = make_pair("mail1.woodgrovebank.com", GNUTLS_PK_ECDSA, static_cast<unsigned>(octets));
        const auto facts = world.raw_talk();
        if (facts.version == TlsVersion::unknown) continue;
        const auto whole = world.kept;
        CHECK(world.raw_talk(whole).resumed);
        taken = octets;
    }
    CHECK(taken > 20000);
    CHECK(taken < 60000);  // beyond it neither chain nor ticket has a length that TLS 1.2 can say
}

TEST_CASE("the handshake that stops at the hello continues what has the chosen certificate", "[tls-mutual]") {
    World world;
    const auto chosen = identity(world.engine, make_pair("mx.fabrikam.com"));
    const auto talk = [&](const Ref<TlsIdentity>& identity) {
        TlsServerOptions options{world.server, false, TlsVersion::tls12, true};
        auto connected = world.engine.connect({world.client, "mx", TlsVersion::tls12}, "mx", false);
        Ends both{connected->session, *world.engine.accept(options, "Inet 1")};
        both.shake();
        REQUIRE(both.server_status == TlsStatus::hello);
        both.server->choose({identity, true});
        both.shake();
        REQUIRE(both.server_status == TlsStatus::ok);
        TlsStatus status{};
        read_all(*both.client, status);
        CHECK(both.server->facts().peer_chain.size() == 1);
        return both.server->facts().resumed;
    };
    CHECK_FALSE(talk(chosen));
    CHECK(talk(chosen));
    CHECK_FALSE(talk(world.server));
}

TEST_CASE("a client keeps no TLS 1.2 session without extended master secret, and may use one with it again",
          "[tls-mutual]") {
    World world;
    gnutls_datum_t key{nullptr, 0};
    must(gnutls_session_ticket_key_generate(&key));
    const auto pair = make_pair("mail1.contoso.com");
    const auto talk = [&](const char* priority) {
        RawPeer server(GNUTLS_SERVER, priority);
        server.use(pair);
        gnutls_certificate_server_set_request(server.session(), GNUTLS_CERT_REQUEST);
        must(gnutls_session_ticket_enable_server(server.session(), &key));
        auto client = *world.engine.connect({world.client, "mail1.contoso.com", TlsVersion::tls12}, "one", false);
        REQUIRE(server.shake(*client.session) == TlsStatus::ok);
        CHECK(client.session->facts().peer_chain.size() == 1);
        CHECK(client.session->facts().certificate_requested);
        CHECK(client.session->facts().own_certificate_sent);
        CHECK(client.session->facts().resumed == (gnutls_session_is_resumed(server.session()) != 0));
        return client.session->facts().resumed;
    };
    const std::string without = std::string(tls12) + ":%NO_SESSION_HASH";
    CHECK_FALSE(talk(without.c_str()));
    CHECK_FALSE(talk(tls12));
    for (int i = 0; i < 3; ++i) CHECK(talk(tls12));
    gnutls_free(key.data);
}

TEST_CASE("threads share keys and earlier sessions, and each session is one thread's", "[tls-mutual]") {
    World world;
    world.talk();
    std::atomic<int> resumed{0}, whole{0}, failed{0};
    std::vector<std::thread> threads;
    for (int number = 0; number < 4; ++number)
        threads.emplace_back([&] {
            for (int i = 0; i < 25; ++i) {
                auto client =
                    *world.engine.connect({world.client, "mail1.contoso.com", TlsVersion::tls12}, "one", false);
                Ends both{client.session, *world.engine.accept({world.server, true, TlsVersion::tls12}, "Inet 1")};
                both.shake();
                TlsStatus status{};
                if (both.client_status == TlsStatus::ok) read_all(*both.client, status);
                const auto& facts = both.server->facts();
                if (facts.peer_chain.size() != 1) ++failed;
                else ++(facts.resumed ? resumed : whole);
                if (i == 10) world.engine.forget("one");
                if (i == 15) world.engine.sweep();
            }
        });
    for (auto& thread : threads) thread.join();
    CHECK(failed == 0);
    CHECK(whole >= 1);
    CHECK(resumed > 50);
}
