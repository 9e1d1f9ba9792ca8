#include <algorithm>
#include <crl/flights.hpp>
#include <crl/messages.hpp>
#include <crl/verdict.hpp>

namespace postern::crl {

static constexpr std::size_t most_issuers = 8, most_flights = 1000;

void Flights::configure(Settings settings) {
    std::lock_guard lock(mutex_);
    settings_ = std::move(settings);
}

void Flights::stop() {
    std::lock_guard lock(mutex_);
    stopped_ = true;
}

void Flights::fetch(const std::string& url, const Bytes& issuer, bool force, Done done) {
    auto certificate = x509::Certificate::read(issuer);
    if (!certificate) return done("its issuer's certificate cannot be read");
    if (const auto slot = store_.find(url); !force && slot && host_.now() < slot->not_before)
        return done(slot->last_error + " (next try after " + date(slot->not_before) +
                    "; postern crl refresh tries at once)");
    {
        std::unique_lock lock(mutex_);
        if (stopped_ || flights_.size() >= most_flights) {
            lock.unlock();
            return done("too many fetches are under way");
        }
        auto [flight, fresh] = flights_.try_emplace(url);
        if (flight->second.issuers.size() < most_issuers) flight->second.issuers.push_back(std::move(*certificate));
        flight->second.waiting.push_back(std::move(done));
        if (!fresh) return;
    }
    begin(url);
}

void Flights::begin(const std::string& url) {
    const auto scheme = url.substr(0, url.find(':'));
    auto* fetcher = host_.role<Fetcher>(scheme);
    if (!fetcher)
        return landed(url, Failure{"crl-unreachable",
                                   "no plugin fetches " + scheme + " here (proxy-winhttp brings http and https)"});
    FetchRequest request;
    request.url = url;
    {
        std::lock_guard lock(mutex_);
        request.rules.allowed_hosts = settings_.hosts;
        request.rules.allowed_ports = settings_.ports;
        request.rules.allow_private = settings_.allow_private;
        request.rules.timeout = settings_.timeout;
    }
    request.rules.own_domains = host_.own_domains();
    request.rules.bytes = x509::CertificateList::size_limit;
    if (const auto slot = store_.find(url); slot && slot->list) {
        request.if_none_match = slot->etag;
        request.if_modified_since = slot->last_modified;
    }
    const auto pending = std::make_shared<Pending<FetchAnswer>>(fetcher->fetch(std::move(request)));
    pending->on_ready([this, url, pending] { landed(url, pending->take()); });
}

// Empty, or why what came is not believed.
std::string Flights::judge(const std::string& url, FetchAnswer& answer, const std::vector<x509::Certificate>& issuers) {
    if (answer.not_modified) {
        const auto slot = store_.find(url);
        if (!slot || !slot->list) return "the server says \"not modified\" of a list that is not here";
        store_.unchanged(url);
        return {};
    }
    const auto error = store_.take(url, std::move(answer.body), issuers, answer.etag, answer.last_modified);
    return error.empty() ? error : "the list was not believed: " + error;
}

void Flights::landed(const std::string& url, Outcome<FetchAnswer> answer) {
    std::vector<x509::Certificate> issuers;
    Milliseconds backoff{};
    {
        std::lock_guard lock(mutex_);
        if (const auto flight = flights_.find(url); flight != flights_.end()) issuers = flight->second.issuers;
        backoff = settings_.backoff;
    }
    const auto error = answer ? judge(url, *answer, issuers) : answer.failure.text;
    if (error.empty()) {
        host_.log(Severity::info, messages::crl_fetched,
                  url + " " + answer->way + (answer->not_modified ? ", not modified" : ""));
        host_.alarm("crl-unreachable", url, {});
    } else {
        store_.failed(url, error, backoff, issuers.empty() ? BytesView() : issuers.front().der());
        host_.log(Severity::warning, messages::crl_fetch_failed, url + ": " + error);
        const auto slot = store_.find(url);
        if (slot && slot->list && slot->list->list.next_update && *slot->list->list.next_update < host_.now())
            host_.alarm("crl-unreachable", url, "the list ended and no newer one could be had: " + error);
    }
    gauges(url);
    std::vector<Done> waiting;
    {
        // Only now: who asked meanwhile was added to this flight, and is told its result.
        std::lock_guard lock(mutex_);
        auto flight = flights_.extract(url);
        if (!flight.empty()) waiting = std::move(flight.mapped().waiting);
    }
    for (const auto& done : waiting) done(error);
}

void Flights::gauges(const std::string& url) const {
    const auto slot = store_.find(url);
    if (!slot || !slot->list || !slot->list->list.next_update) return;
    std::string label = "url=\"";
    for (const char c : url)
        if (c == '"' || c == '\\') (label += '\\') += c;
        else label += static_cast<unsigned char>(c) < 32 ? '?' : c;
    const auto seconds = std::chrono::system_clock::to_time_t(*slot->list->list.next_update);
    host_.gauge("postern_crl_next_update_timestamp_seconds", label + "\"", static_cast<double>(seconds));
}

void Flights::refresh_due() {
    const auto now = host_.now();
    for (const auto& slot : store_.slots())
        if (slot.list && now >= slot.due && now >= slot.not_before) fetch(slot.url, slot.issuer, false, [](auto&) {});
}

}  // namespace postern::crl
