// Mutual TLS handshakes from memory to memory, whole ones and such as continue the session before: through the engine
// of tls-mutual, and with GnuTLS alone on the same terms and keys. Prints one JSON object; `run` tells what it means.
// Start at main().
//
//   handshakes CHAIN.pem KEY.pem CLIENT-CHAIN.pem CLIENT-KEY.pem ROUNDS
#include <gnutls/gnutls.h>
#include <malloc.h>
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <stdexcept>
#include <tls-mutual/engine.hpp>

namespace {

using namespace postern;

void must(bool good, const char* what) {
    if (!good) throw std::runtime_error(what);
}

double cpu_seconds() {
    timespec time{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

std::size_t allocated() { return ::mallinfo2().uordblks; }

// ---- GnuTLS alone ---------------------------------------------------------------------------------------------------

// One direction of the wire.
struct Wire {
    std::string octets;
    std::size_t taken = 0;
};

class Alone {
public:
    Alone(gnutls_certificate_credentials_t credentials, gnutls_priority_t priority, unsigned flags) {
        must(gnutls_init(&session_, flags | GNUTLS_NONBLOCK) == 0, "gnutls_init");
        must(gnutls_priority_set(session_, priority) == 0, "gnutls_priority_set");
        must(gnutls_credentials_set(session_, GNUTLS_CRD_CERTIFICATE, credentials) == 0, "gnutls_credentials_set");
        if (flags & GNUTLS_SERVER) gnutls_certificate_server_set_request(session_, GNUTLS_CERT_REQUEST);
        else must(gnutls_server_name_set(session_, GNUTLS_NAME_DNS, "mail1", 5) == 0, "gnutls_server_name_set");
        gnutls_transport_set_ptr(session_, this);
        gnutls_transport_set_pull_function(session_, pull);
        gnutls_transport_set_push_function(session_, push);
        gnutls_transport_set_pull_timeout_function(session_, ready);
        gnutls_handshake_set_timeout(session_, 0);
    }
    Alone(const Alone&) = delete;
    Alone& operator=(const Alone&) = delete;
    ~Alone() { gnutls_deinit(session_); }

    bool step() {
        const int result = gnutls_handshake(session_);
        must(result == 0 || !gnutls_error_is_fatal(result), gnutls_strerror(result));
        return result == 0;
    }
    bool has_peer() const {
        unsigned count = 0;
        return gnutls_certificate_get_peers(session_, &count) && count > 0;
    }
    // As server: tickets under this key. As client: the session to continue, if there is one.
    void serve_tickets(const gnutls_datum_t& key) {
        must(gnutls_session_ticket_enable_server(session_, &key) == 0, "tickets");
    }
    void continue_from(const Bytes& earlier) {
        if (!earlier.empty()) must(gnutls_session_set_data(session_, earlier.data(), earlier.size()) == 0, "set_data");
    }
    void give_ticket() { must(gnutls_session_ticket_send(session_, 1, 0) == 0, "ticket"); }
    bool resumed() const { return gnutls_session_is_resumed(session_) != 0; }
    Bytes for_later() {
        char block[16];
        gnutls_record_recv(session_, block, sizeof block);  // nothing but tickets is there
        gnutls_datum_t data{nullptr, 0};
        must(gnutls_session_get_data2(session_, &data) == 0, "get_data");
        Bytes octets(data.data, data.data + data.size);
        gnutls_free(data.data);
        return octets;
    }
    Alone* peer = nullptr;

private:
    static ssize_t pull(gnutls_transport_ptr_t self, void* into, std::size_t size) {
        auto& end = *static_cast<Alone*>(self);
        const auto count = std::min(size, end.in_.octets.size() - end.in_.taken);
        if (count == 0) {
            end.in_ = {};
            gnutls_transport_set_errno(end.session_, EAGAIN);
            return -1;
        }
        std::memcpy(into, end.in_.octets.data() + end.in_.taken, count);
        end.in_.taken += count;
        return static_cast<ssize_t>(count);
    }
    static ssize_t push(gnutls_transport_ptr_t self, const void* from, std::size_t size) {
        static_cast<Alone*>(self)->peer->in_.octets.append(static_cast<const char*>(from), size);
        return static_cast<ssize_t>(size);
    }
    static int ready(gnutls_transport_ptr_t self, unsigned) {
        const auto& in = static_cast<Alone*>(self)->in_;
        return in.octets.size() > in.taken;
    }

    gnutls_session_t session_ = nullptr;
    Wire in_;
};

struct Peers {
    gnutls_certificate_credentials_t server = nullptr, client = nullptr;
    gnutls_priority_t priority = nullptr;

    explicit Peers(char** files) {
        for (auto* one : {&server, &client}) {
            must(gnutls_certificate_allocate_credentials(one) == 0, "credentials");
            must(gnutls_certificate_set_x509_key_file(*one, files[0], files[1], GNUTLS_X509_FMT_PEM) >= 0, files[0]);
            files += 2;
        }
        // The terms of the engine (plugins/tls-mutual/engine.cpp).
        const char* terms =
            "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-RSA:-3DES-CBC:%SERVER_PRECEDENCE:-CIPHER-ALL:+AES-128-GCM"
            ":-GROUP-ALL:+GROUP-X25519:+GROUP-SECP256R1";
        must(gnutls_priority_init(&priority, terms, nullptr) == 0, "priority");
    }
    std::unique_ptr<Alone> shake() const {
        auto at_server = std::make_unique<Alone>(server, priority, GNUTLS_SERVER | GNUTLS_NO_TICKETS);
        Alone at_client(client, priority, GNUTLS_CLIENT | GNUTLS_NO_TICKETS);
        meet(at_server, at_client);
        return at_server;
    }
    // Continues what `earlier` says, and leaves there what the next is to continue.
    void shake_again(const gnutls_datum_t& key, Bytes& earlier) const {
        auto at_server = std::make_unique<Alone>(server, priority, GNUTLS_SERVER | GNUTLS_NO_AUTO_SEND_TICKET);
        Alone at_client(client, priority, GNUTLS_CLIENT);
        at_server->serve_tickets(key);
        at_client.continue_from(earlier);
        meet(at_server, at_client);
        must(at_server->resumed() == !earlier.empty(), "not resumed");
        at_server->give_ticket();
        earlier = at_client.for_later();
    }

    mutable double server_seconds = 0;  // spent at the server's end of whole handshakes

private:
    void meet(std::unique_ptr<Alone>& at_server, Alone& at_client) const {
        at_server->peer = &at_client;
        at_client.peer = at_server.get();
        bool done_here = false, done_there = false;
        for (int turn = 0; turn < 10 && !(done_here && done_there); ++turn) {
            if (!done_there) done_there = at_client.step();
            const double before = cpu_seconds();
            if (!done_here) done_here = at_server->step();
            server_seconds += cpu_seconds() - before;
        }
        must(done_here && done_there && at_server->has_peer() && at_client.has_peer(), "no mutual handshake");
    }
};

// ---- the engine -----------------------------------------------------------------------------------------------------

struct Engines {
    tls_mutual::Engine engine;
    Ref<TlsIdentity> server, client;

    explicit Engines(char** files) {
        for (auto* one : {&server, &client}) {
            auto loaded = engine.load({"bench", files[0], files[1]});
            must(static_cast<bool>(loaded), loaded ? "" : loaded.failure.text.c_str());
            *one = *loaded;
            files += 2;
        }
    }
    static void carry(TlsSession& from, TlsSession& to) {
        Bytes octets;
        from.drain(octets);
        if (!octets.empty()) to.feed(octets);
    }
    Ref<TlsSession> shake() {
        auto accepted = engine.accept(TlsServerOptions{server, true, TlsVersion::tls12});
        auto connected = engine.connect(TlsClientOptions{client, "mail1", TlsVersion::tls12});
        must(accepted && connected, "no session");
        meet(**accepted, **connected);
        return *accepted;
    }
    void shake_again() {
        auto accepted = engine.accept(TlsServerOptions{server, true, TlsVersion::tls12}, "bench");
        auto connected = engine.connect(TlsClientOptions{client, "mail1", TlsVersion::tls12}, "bench", false);
        must(accepted && connected, "no session");
        auto& there = *connected->session;
        meet(**accepted, there);
        must((*accepted)->facts().resumed == connected->offers, "not resumed");
        std::uint8_t block[16];
        std::size_t none = 0;
        there.read(block, none);  // nothing but a ticket is there
    }

private:
    static void meet(TlsSession& here, TlsSession& there) {
        TlsStatus status_here{}, status_there{};
        for (int turn = 0; turn < 10 && !(status_here == TlsStatus::ok && status_there == TlsStatus::ok); ++turn) {
            if (status_there != TlsStatus::ok) status_there = there.handshake();
            carry(there, here);
            if (status_here != TlsStatus::ok) status_here = here.handshake();
            carry(here, there);
        }
        must(status_here == TlsStatus::ok && status_there == TlsStatus::ok && !here.facts().peer_chain.empty() &&
                 !there.facts().peer_chain.empty(),
             "no mutual handshake");
    }
};

// ---- measuring ------------------------------------------------------------------------------------------------------

constexpr int at_once = 100;  // handshakes of one kind before the other has its turn: both see the same machine

double seconds_of(const std::function<void()>& shake) {
    const double before = cpu_seconds();
    for (int i = 0; i < at_once; ++i) shake();
    return cpu_seconds() - before;
}

double median(std::vector<double> values) {
    std::ranges::sort(values);
    return values[values.size() / 2];
}

struct Compared {
    double ours, theirs, ratio;  // handshakes a CPU second; how much of GnuTLS' own speed is left
};

Compared compare(const std::function<void()>& with_engine, const std::function<void()>& alone, int rounds) {
    seconds_of(with_engine);
    seconds_of(alone);
    std::vector<double> ours, theirs, ratios;
    for (; rounds > 0; --rounds) {
        ours.push_back(seconds_of(with_engine));
        theirs.push_back(seconds_of(alone));
        ratios.push_back(theirs.back() / ours.back());
    }
    return {at_once / median(ours), at_once / median(theirs), median(ratios)};
}

// What one server's end keeps after the handshake, on the heap.
template <class Shake>
double kept(Shake shake) {
    constexpr int held = 500;
    std::deque<decltype(shake())> all;
    for (int i = 0; i < held; ++i) all.push_back(shake());
    all.clear();
    const auto before = allocated();
    for (int i = 0; i < held; ++i) all.push_back(shake());
    return static_cast<double>(allocated() - before) / held;
}

}  // namespace

int main(int count, char** words) try {
    must(count == 6, "handshakes CHAIN KEY CLIENT-CHAIN CLIENT-KEY ROUNDS");
    const Peers peers(words + 1);
    Engines engines(words + 1);
    gnutls_datum_t key{nullptr, 0};
    must(gnutls_session_ticket_key_generate(&key) == 0, "key");
    Bytes earlier;
    const int rounds = std::max(1, std::atoi(words[5]));
    const auto whole = compare([&] { engines.shake(); }, [&] { peers.shake(); }, rounds);
    peers.server_seconds = 0;
    seconds_of([&] { peers.shake(); });
    const double at_server = 1e6 * peers.server_seconds / at_once;
    const auto resumed = compare([&] { engines.shake_again(); }, [&] { peers.shake_again(key, earlier); }, rounds);
    gnutls_free(key.data);
    std::printf(
        "{\"engine\": %.1f, \"gnutls\": %.1f, \"ratio\": %.3f, \"engine_resumed\": %.1f, \"gnutls_resumed\": %.1f, "
        "\"ratio_resumed\": %.3f, \"engine_octets\": %.0f, \"gnutls_octets\": %.0f, "
        "\"gnutls_server_us\": %.0f}\n",
        whole.ours, whole.theirs, whole.ratio, resumed.ours, resumed.theirs, resumed.ratio,
        kept([&] { return engines.shake(); }), kept([&] { return peers.shake(); }), at_server);
} catch (const std::exception& failure) {
    std::fprintf(stderr, "handshakes: %s\n", failure.what());
    return 1;
}
