#include <unbound.h>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <net/await.hpp>
#include <net/dns_context.hpp>

namespace postern::net {

namespace {
constexpr int type_a = 1, class_in = 1, rcode_ok = 0, rcode_nxdomain = 3;
constexpr std::size_t longest_reason = 300;

struct Asked {
    Answer<DnsRecords> answer = Answer<DnsRecords>::make();
};

// "validation failure <NAME TYPE CLASS>: REASON": the name stands in our own sentence.
std::string reason_of(const ub_result& result) {
    if (!result.bogus) return {};
    std::string reason = result.why_bogus ? result.why_bogus : "";
    if (const auto end = reason.find(">: "); reason.starts_with("validation failure <") && end != std::string::npos)
        reason.erase(0, end + 3);
    if (reason.size() > longest_reason) reason.resize(longest_reason);
    return reason.empty() ? "it does not validate" : reason;
}
std::string rcode_text(int rcode) {
    constexpr const char* names[] = {"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"};
    return rcode >= 0 && rcode < 6 ? names[rcode] : "rcode " + std::to_string(rcode);
}

std::string canonical_of(const ub_result& result) {
    std::string name = result.canonname ? result.canonname : "";
    if (name.ends_with('.')) name.pop_back();
    for (auto& c : name)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    return name;
}
}  // namespace

struct DnsContext::State : std::enable_shared_from_this<State> {
    explicit State(asio::io_context& io) : loop(io), socket(io) {}
    ~State() {
        if (socket.is_open()) socket.release();
        if (context) ub_ctx_delete(context);
    }

    void open(const config::Resolver& settings, Validates validates) {
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
        if (validates == Validates::yes) {
            // Not val-permissive-mode, which would hide what is bogus from us, too.
            ub_ctx_add_ta_file(context, settings.trust_anchor.c_str());
            for (const auto& zone : settings.insecure) ub_ctx_set_option(context, "domain-insecure:", zone.c_str());
        }
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
            asked->answer.fail({"4.4.3", ub_strerror(status)});
            return;
        }
        DnsRecords records{result->rcode, {}, canonical_of(*result), reason_of(*result)};
        for (int i = 0; result->data && result->data[i]; ++i)
            records.data.emplace_back(result->data[i], static_cast<std::size_t>(result->len[i]));
        ub_resolve_free(result);
        asked->answer.give(std::move(records));
    }

    asio::io_context& loop;
    asio::posix::stream_descriptor socket;
    ub_ctx* context = nullptr;
};

DnsContext::DnsContext(asio::io_context& loop, const config::Resolver& settings, Validates validates)
    : state_(std::make_shared<State>(loop)) {
    state_->open(settings, validates);
}

DnsContext::~DnsContext() = default;

awaitable<Outcome<DnsRecords>> DnsContext::ask(std::string name, int type, std::chrono::milliseconds time) {
    auto asked = std::make_unique<Asked>();
    auto pending = asked->answer.pending();
    auto state = state_;
    asio::post(state->loop, [state, name, type, raw = asked.release()] {
        const int status = state->context ? ub_resolve_async(state->context, name.c_str(), type, class_in, raw,
                                                             State::answered, nullptr)
                                          : UB_SERVFAIL;
        if (status != 0) State::answered(raw, status, nullptr);
    });
    auto outcome = co_await answer_of(std::move(pending), time, "4.4.3");
    if (!outcome) {
        outcome.failure.text = "DNS failed for " + name + ": " + outcome.failure.text;
    } else if (outcome->rcode != rcode_ok && outcome->rcode != rcode_nxdomain) {
        Failure failure{"4.4.3", "DNS answered " + rcode_text(outcome->rcode) + " for " + name};
        co_return failure;
    }
    co_return outcome;
}

}  // namespace postern::net
