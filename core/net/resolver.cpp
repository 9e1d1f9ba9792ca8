#include <unbound.h>

#include <algorithm>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <net/await.hpp>
#include <net/resolver.hpp>
#include <random>

namespace postern::net {

namespace {
constexpr int type_a = 1, type_mx = 15, type_aaaa = 28, class_in = 1, rcode_ok = 0, rcode_nxdomain = 3;
constexpr std::chrono::milliseconds question_time{30000};

struct Records {
    int rcode = 0;
    std::vector<std::string> data;  // RDATA octets
};

struct Asked {
    Answer<Records> answer = Answer<Records>::make();
};
}  // namespace

struct Resolver::State : std::enable_shared_from_this<State> {
    explicit State(asio::io_context& io) : loop(io), socket(io) {}
    ~State() {
        if (socket.is_open()) socket.release();
        if (context) ub_ctx_delete(context);
    }

    void open(const config::Resolver& settings) {
        context = ub_ctx_create();
        if (!context) return;
        ub_ctx_async(context, 1);
        // Forwarders on loopback are meant (resolver { forward }).
        ub_ctx_set_option(context, "do-not-query-localhost:", "no");
        for (const auto& forward : settings.forward)
            ub_ctx_set_fwd(context, (forward.address + "@" + std::to_string(forward.port)).c_str());
        for (const auto& [zone, server] : settings.stub)
            ub_ctx_set_stub(context, zone.c_str(), (server.address + "@" + std::to_string(server.port)).c_str(), 0);
        if (settings.forward.empty()) ub_ctx_resolvconf(context, nullptr);
        socket.assign(ub_fd(context));
        wait();
        begin();
    }

    // libunbound makes its event loop at the first question, and where no descriptor is left for that libevent ends the
    // process. Now there are some: a name that it knows by itself is asked for, and nobody waits.
    void begin() { ub_resolve_async(context, "localhost", type_a, class_in, nullptr, begun, nullptr); }
    static void begun(void*, int, ub_result* result) {
        if (result) ub_resolve_free(result);
    }

    void wait() {
        socket.async_wait(asio::posix::stream_descriptor::wait_read, [weak = weak_from_this()](error_code error) {
            auto self = weak.lock();
            if (error || !self) return;
            ub_process(self->context);
            self->wait();
        });
    }

    static void answered(void* data, int status, ub_result* result) {
        std::unique_ptr<Asked> asked(static_cast<Asked*>(data));
        if (status != 0 || !result) {
            if (result) ub_resolve_free(result);
            asked->answer.fail({"4.4.3", std::string("no answer from DNS: ") + ub_strerror(status)});
            return;
        }
        Records records{result->rcode, {}};
        for (int i = 0; result->data && result->data[i]; ++i)
            records.data.emplace_back(result->data[i], static_cast<std::size_t>(result->len[i]));
        ub_resolve_free(result);
        asked->answer.give(std::move(records));
    }

    awaitable<Outcome<Records>> ask(std::string name, int type, std::chrono::milliseconds time = question_time) {
        auto asked = std::make_unique<Asked>();
        auto pending = asked->answer.pending();
        auto self = shared_from_this();
        asio::post(loop, [self, name, type, raw = asked.release()] {
            const int status =
                self->context ? ub_resolve_async(self->context, name.c_str(), type, class_in, raw, answered, nullptr)
                              : UB_SERVFAIL;
            if (status != 0) answered(raw, status, nullptr);
        });
        auto outcome = co_await answer_of(std::move(pending), time, "4.4.3");
        if (outcome && outcome->rcode != rcode_ok && outcome->rcode != rcode_nxdomain) {
            Failure failure{"4.4.3", "DNS answered with rcode " + std::to_string(outcome->rcode) + " for " + name};
            co_return failure;
        }
        co_return outcome;
    }

    asio::io_context& loop;
    asio::posix::stream_descriptor socket;
    ub_ctx* context = nullptr;
};

Resolver::Resolver(asio::io_context& loop, const config::Resolver& settings) : state_(std::make_shared<State>(loop)) {
    state_->open(settings);
}

Resolver::~Resolver() = default;

// RDATA names come uncompressed from libunbound.
static std::string wire_name(std::string_view wire) {
    std::string name;
    while (!wire.empty() && wire[0]) {
        const auto length = static_cast<unsigned char>(wire[0]);
        if (length > 63 || wire.size() < length + 1u) return {};
        if (!name.empty()) name += '.';
        for (char c : wire.substr(1, length)) name += static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
        wire.remove_prefix(length + 1u);
    }
    return name;
}

static std::vector<MxHost> parsed(const std::vector<std::string>& records) {
    std::vector<MxHost> hosts;
    for (const auto& data : records) {
        if (data.size() < 3) continue;
        const auto high = static_cast<unsigned char>(data[0]), low = static_cast<unsigned char>(data[1]);
        hosts.push_back({static_cast<std::uint16_t>(high << 8 | low), wire_name(std::string_view(data).substr(2))});
    }
    static thread_local std::mt19937 random{std::random_device{}()};
    std::shuffle(hosts.begin(), hosts.end(), random);
    std::stable_sort(hosts.begin(), hosts.end(), [](auto& a, auto& b) { return a.preference < b.preference; });
    return hosts;
}

awaitable<Outcome<std::vector<MxHost>>> Resolver::mail_hosts(std::string domain) {
    auto state = state_;
    auto records = co_await state->ask(domain, type_mx);
    if (!records) co_return records.failure;
    if (records->rcode == rcode_nxdomain) {
        Failure failure{"5.1.2", "the domain " + domain + " does not exist"};
        co_return failure;
    }
    auto hosts = parsed(records->data);
    if (hosts.empty()) {
        hosts.push_back({0, domain});  // RFC 5321 5.1: the implicit MX
    } else if (hosts.size() == 1 && hosts.front().name.empty()) {
        Failure failure{"5.1.10", "the domain " + domain + " takes no mail (null MX, RFC 7505)"};
        co_return failure;
    }
    std::erase_if(hosts, [](const MxHost& host) { return host.name.empty(); });
    co_return hosts;
}

template <class Address>
static void append(std::vector<asio::ip::address>& found, const std::vector<std::string>& records) {
    typename Address::bytes_type bytes;
    for (const auto& data : records) {
        if (data.size() != bytes.size()) continue;
        std::copy(data.begin(), data.end(), bytes.begin());
        found.emplace_back(Address(bytes));
    }
}

awaitable<Outcome<std::vector<asio::ip::address>>> Resolver::addresses(std::string host) {
    std::vector<asio::ip::address> found;
    error_code error;
    if (const auto literal = asio::ip::make_address(host, error); !error) {
        found.push_back(literal);
        co_return found;
    }
    auto state = state_;
    auto six = co_await state->ask(host, type_aaaa);
    auto four = co_await state->ask(host, type_a);
    if (four) append<asio::ip::address_v4>(found, four->data);
    if (six) append<asio::ip::address_v6>(found, six->data);
    if (!found.empty()) co_return found;
    Failure failure{"5.4.4", "the host " + host + " has no address"};
    if (!four || !six) failure = {"4.4.3", "no whole answer from DNS for " + host};
    co_return failure;
}

namespace {

// RFC 1035 3.3.14: character-strings, here one text.
std::string txt_text(std::string_view data) {
    std::string text;
    while (!data.empty()) {
        const auto size = std::min<std::size_t>(static_cast<unsigned char>(data[0]), data.size() - 1);
        text += data.substr(1, size);
        data.remove_prefix(size + 1);
    }
    return text;
}

template <class Address>
std::string address_text(std::string_view data) {
    typename Address::bytes_type bytes;
    if (data.size() != bytes.size()) return {};
    std::copy(data.begin(), data.end(), bytes.begin());
    return Address(bytes).to_string();
}

std::string mx_text(std::string_view data) {
    if (data.size() < 3) return {};
    const auto preference = static_cast<unsigned char>(data[0]) << 8 | static_cast<unsigned char>(data[1]);
    return std::to_string(preference) + " " + wire_name(data.substr(2));
}

struct RecordType {
    std::string_view name;
    int number;
    std::string (*text)(std::string_view);
};
constexpr RecordType record_types[] = {{"A", type_a, address_text<asio::ip::address_v4>},
                                       {"AAAA", type_aaaa, address_text<asio::ip::address_v6>},
                                       {"CNAME", 5, wire_name},
                                       {"MX", type_mx, mx_text},
                                       {"NS", 2, wire_name},
                                       {"PTR", 12, wire_name},
                                       {"TXT", 16, txt_text}};

}  // namespace

awaitable<Outcome<std::vector<std::string>>> Resolver::records(std::string name, std::string type,
                                                               std::chrono::milliseconds time) {
    auto state = state_;
    const auto* known = std::ranges::find(record_types, type, &RecordType::name);
    if (known == std::end(record_types)) {
        Failure failure{"dns-failed", "the record type " + type + " is not looked up"};
        co_return failure;
    }
    auto asked = co_await state->ask(name, known->number, time);
    if (!asked) {
        Failure failure{"dns-failed", asked.failure.text};
        co_return failure;
    }
    std::vector<std::string> texts;
    for (const auto& data : asked->data) texts.push_back(known->text(data));
    if (!texts.empty()) co_return texts;
    Failure failure{"no-data", name + " has no " + type + " record"};
    if (asked->rcode == rcode_nxdomain) failure = {"nxdomain", "the name " + name + " does not exist"};
    co_return failure;
}

}  // namespace postern::net
