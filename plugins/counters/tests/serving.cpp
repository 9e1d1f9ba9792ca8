// Real requests over real sockets against the server and the endpoint above it.
#include <catch2/catch.hpp>
#include <counters/endpoint.hpp>
#include <postern/testing/fake_host.hpp>
#include <support/loopback.hpp>

using namespace postern;
using namespace postern::counters;
using postern::test::FakeHost;

namespace {

const ListenAddress any_port = *parse_listen_address("127.0.0.1:0");

std::uint16_t port_of(const std::string& text) {
    return static_cast<std::uint16_t>(std::stoi(text.substr(text.rfind(':') + 1)));
}

class Client {
public:
    explicit Client(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        const timeval most{20, 0};  // a test that would hang fails instead
        ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof most);
        const auto address = test::loopback(port);
        connected = ::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    }
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;
    ~Client() { ::close(socket_); }
    void send(std::string_view text) { ::send(socket_, text.data(), text.size(), MSG_NOSIGNAL); }
    // Everything up to the end of the connection; "time-out" where it does not end.
    std::string rest() {
        std::string all;
        char buffer[4096];
        for (;;) {
            const auto got = ::read(socket_, buffer, sizeof buffer);
            if (got < 0) return errno == EAGAIN ? "time-out" : all;
            if (got == 0) return all;
            all.append(buffer, static_cast<std::size_t>(got));
        }
    }
    bool connected = false;

private:
    int socket_;
};

std::string ask(std::uint16_t port, const std::string& method, const std::string& path, const std::string& body = {}) {
    Client client(port);
    if (!client.connected) return {};
    const auto length = body.empty() ? std::string() : "Content-Length: " + std::to_string(body.size()) + "\r\n";
    client.send(method + " " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + length + "\r\n" + body);
    return client.rest();
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

struct Running {
    explicit Running(ServerLimits limits = {}) {
        auto made = Server::listen(
            any_port, [] { return std::string("a_total 1\n"); }, limits);
        REQUIRE(made);
        server = std::move(*made);
        port = port_of(server->address().text());
    }
    std::unique_ptr<Server> server;
    std::uint16_t port = 0;
};

// Of the last line that says where it listens.
std::uint16_t announced(const FakeHost& host) {
    const auto& line = host.logged.back();
    REQUIRE(line.starts_with("counters-listening: http://127.0.0.1:"));
    return port_of(line.substr(0, line.rfind('/')));
}

}  // namespace

TEST_CASE("port 0 takes a free port and names it", "[counters]") {
    Running running;
    CHECK(running.port != 0);
}

TEST_CASE("the metrics page is the page's text, as Prometheus expects its type", "[counters]") {
    Running running;
    const auto answer = ask(running.port, "GET", "/metrics");
    CHECK(answer.starts_with("HTTP/1.1 200 "));
    CHECK(has(answer, "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
    CHECK(answer.ends_with("\r\n\r\na_total 1\n"));
    CHECK(ask(running.port, "GET", "/metrics?collect[]=x").ends_with("\r\n\r\na_total 1\n"));
}

TEST_CASE("HEAD is the same without the text", "[counters]") {
    Running running;
    const auto answer = ask(running.port, "HEAD", "/metrics");
    CHECK(answer.starts_with("HTTP/1.1 200 "));
    CHECK(has(answer, "Content-Length: 10\r\n"));
    CHECK(answer.ends_with("\r\n\r\n"));
}

TEST_CASE("healthz says ok", "[counters]") {
    Running running;
    CHECK(ask(running.port, "GET", "/healthz").ends_with("\r\n\r\nok\n"));
}

TEST_CASE("other paths are not found, other methods are not allowed", "[counters]") {
    Running running;
    for (const std::string path : {"/", "/metrics/", "/Metrics", "//metrics", "/../metrics"})
        CHECK(ask(running.port, "GET", path).starts_with("HTTP/1.1 404 "));
    for (const std::string method : {"PUT", "DELETE", "OPTIONS", "BREW"}) {
        const auto answer = ask(running.port, method, "/metrics");
        CHECK(answer.starts_with("HTTP/1.1 405 "));
        CHECK(has(answer, "Allow: GET, HEAD\r\n"));
    }
    CHECK(ask(running.port, "POST", "/metrics", "a body").starts_with("HTTP/1.1 405 "));
}

TEST_CASE("a body is never waited for", "[counters]") {
    Running running;
    Client client(running.port);
    client.send("POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n");
    CHECK(client.rest().starts_with("HTTP/1.1 405 "));
}

TEST_CASE("nonsense and an endless header end the connection and not the server", "[counters]") {
    Running running;
    {
        Client client(running.port);
        client.send("\x16\x03\x01 nonsense\r\n\r\n");
        CHECK_FALSE(client.rest() == "time-out");
    }
    {
        Client client(running.port);
        client.send("GET /metrics HTTP/1.1\r\nX: " + std::string(1u << 20, 'x'));
        CHECK_FALSE(client.rest() == "time-out");
    }
    CHECK(ask(running.port, "GET", "/healthz").ends_with("ok\n"));
}

TEST_CASE("a page that throws ends its connection and not the server", "[counters]") {
    bool throws = true;
    auto server = Server::listen(any_port, [&]() -> std::string {
        if (std::exchange(throws, false)) throw std::runtime_error("no page");
        return "a_total 2\n";
    });
    REQUIRE(server);
    const auto port = port_of((*server)->address().text());
    CHECK(ask(port, "GET", "/metrics").empty());
    CHECK(ask(port, "GET", "/metrics").ends_with("a_total 2\n"));
}

TEST_CASE("an idle connection is ended", "[counters]") {
    Running running({.idle = std::chrono::seconds(1)});
    Client client(running.port);
    REQUIRE(client.connected);
    client.send("GET /met");
    CHECK(client.rest() != "time-out");
}

TEST_CASE("connections beyond the limit wait for a place, and idle ones free it", "[counters]") {
    Running running({.connections = 2, .idle = std::chrono::seconds(1)});
    Client first(running.port), second(running.port);
    CHECK(ask(running.port, "GET", "/healthz").ends_with("ok\n"));
}

TEST_CASE("a request fed octet by octet does not live for ever", "[counters]") {
    Running running({.life = std::chrono::milliseconds(0)});
    Client client(running.port);
    client.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");  // served: the connection is known by now
    Client slow(running.port);
    slow.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nGET /met");
    CHECK(ask(running.port, "GET", "/healthz").ends_with("ok\n"));  // accepted after the others: both are known
    running.server->sweep();
    CHECK(client.rest() != "time-out");
    CHECK(slow.rest() != "time-out");
}

TEST_CASE("sweeping leaves young connections alone", "[counters]") {
    Running running;
    Client client(running.port);
    CHECK(ask(running.port, "GET", "/healthz").ends_with("ok\n"));  // accepted after it
    running.server->sweep();
    client.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    CHECK(client.rest().ends_with("ok\n"));
}

TEST_CASE("a taken address is a failure that names it and the way out", "[counters]") {
    Running running;
    const auto second = Server::listen(running.server->address(), [] { return std::string(); });
    REQUIRE_FALSE(second);
    CHECK(has(second.failure.text, running.server->address().text()));
    CHECK(has(second.failure.text, "Address already in use"));
    CHECK(has(second.failure.text, "counters { listen"));
}

TEST_CASE("the endpoint serves the host's counters and says where", "[counters]") {
    FakeHost host;
    host.samples = {{"postern_sessions_total", "connector=\"Inet\"", CounterKind::counter, 3, "Sessions."}};
    Endpoint endpoint(host);
    CHECK(host.logged.empty());  // nothing happens before it is told to
    endpoint.listen_on(any_port);
    CHECK(has(ask(announced(host), "GET", "/metrics"),
              "# HELP postern_sessions_total Sessions.\n# TYPE postern_sessions_total counter\n"
              "postern_sessions_total{connector=\"Inet\"} 3\n"));
    endpoint.stop();
}

TEST_CASE("a reload with the same address keeps the port, one with another moves it", "[counters]") {
    FakeHost host;
    Endpoint endpoint(host);
    endpoint.listen_on(any_port);
    const auto first = announced(host);
    endpoint.listen_on(any_port);
    CHECK(host.logged.size() == 1);
    const auto other = test::free_port();
    endpoint.listen_on(*parse_listen_address("127.0.0.1:" + std::to_string(other)));
    CHECK(announced(host) == other);
    CHECK(ask(other, "GET", "/healthz").ends_with("ok\n"));
    CHECK_FALSE(Client(first).connected);
    endpoint.stop();
    CHECK_FALSE(Client(other).connected);
}

TEST_CASE("a taken address is an alarm until it is free", "[counters]") {
    FakeHost host;
    Endpoint endpoint(host);
    {
        Running holder;
        endpoint.listen_on(holder.server->address());
        REQUIRE(host.alarms.contains("counters-not-listening counters"));
        host.run_timers();
        CHECK(host.alarms.contains("counters-not-listening counters"));
    }
    CHECK(host.run_timers() == 1);
    CHECK(host.alarms.empty());
    CHECK(ask(announced(host), "GET", "/healthz").ends_with("ok\n"));
    endpoint.stop();
}

TEST_CASE("nothing listens again after the end", "[counters]") {
    FakeHost host;
    Endpoint endpoint(host);
    endpoint.listen_on(any_port);
    const auto port = announced(host);
    endpoint.stop();
    host.run_timers();
    endpoint.listen_on(any_port);
    CHECK(host.logged.size() == 1);
    CHECK_FALSE(Client(port).connected);
    CHECK(host.run_timers() == 0);
}
