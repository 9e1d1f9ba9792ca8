#include <algorithm>
#include <crl/flights.hpp>
#include <crl/list_answer.hpp>
#include <crl/messages.hpp>
#include <crl/verdict.hpp>
#include <postern/fetch_rules.hpp>

namespace postern::crl {

static constexpr std::size_t most_issuers = 8, most_flights = 1000;
// One failure is a hiccup. A list that ends within a day leaves an operator as long as this to act.
static constexpr unsigned failures_to_tell = 3;
static constexpr std::chrono::hours time_to_act{24};

void Flights::configure(Settings settings) {
    std::lock_guard lock(mutex_);
    settings_ = std::move(settings);
}

void Flights::stop() {
    decltype(flights_) dropped;
    {
        std::lock_guard lock(mutex_);
        stopped_ = true;
        arrived_.clear();
        dropped.swap(flights_);
    }
    changed_.notify_all();
    if (thread_.joinable()) thread_.join();
}

bool Flights::rests(const Slot& slot, const std::vector<Bytes>& hoped) const {
    if (host_.now() >= slot.not_before) return false;
    return slot.issuers.size() >= most_issuers || std::ranges::all_of(hoped, [&](const Bytes& issuer) {
               return std::ranges::find(slot.issuers, issuer) != slot.issuers.end();
           });
}

// Which way a request went, to which addresses, is the operator's to know: in the log, in `crl show`. Who waits answers
// a peer, and gets the rest. A fetcher puts the way in parentheses in front.
static std::string without_way(const std::string& error) {
    if (!error.starts_with('(')) return error;
    int open = 0;
    for (std::size_t at = 0; at < error.size(); ++at) {
        open += error[at] == '(' ? 1 : error[at] == ')' ? -1 : 0;
        if (open == 0) return error.compare(at, 3, "): ") == 0 ? error.substr(at + 3) : error;
    }
    return error;
}

void Flights::fetch(const std::string& url, const std::vector<Bytes>& hoped, bool force, Done done) {
    const auto slot = store_.find(url);
    if (!force && slot && rests(*slot, hoped)) {
        if (slot->last_error.empty()) return done({});  // it came a moment ago, and was of no use
        return done(without_way(slot->last_error) + " (next try after " + date(slot->not_before) +
                    "; postern crl refresh tries at once)");
    }
    std::vector<x509::Certificate> issuers;
    const auto add = [&issuers](const Bytes& der) {
        if (auto certificate = x509::Certificate::read(der)) issuers.push_back(std::move(*certificate));
    };
    std::ranges::for_each(hoped, add);
    if (slot) std::ranges::for_each(slot->issuers, add);
    if (!force)
        if (const auto why = server_rests(url, issuers); !why.empty()) return done(why);
    {
        std::unique_lock lock(mutex_);
        if (stopped_ || flights_.size() >= most_flights) {
            lock.unlock();
            return done("too many fetches are under way");
        }
        if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
        auto [flight, fresh] = flights_.try_emplace(url);
        auto& known = flight->second.issuers;
        for (auto& one : issuers)
            if (known.size() < most_issuers + 1 &&
                std::ranges::none_of(known, [&](const auto& other) { return x509::equal(other.der(), one.der()); }))
                known.push_back(std::move(one));
        flight->second.waiting.push_back(std::move(done));
        if (!fresh) return;
    }
    begin(url);
}

// Empty, or that its server was silent a moment ago, over whatever URL that was found out.
std::string Flights::server_rests(const std::string& url, const std::vector<x509::Certificate>& issuers) {
    const auto server = server_of(url);
    const auto until = servers_.rests_until(server, host_.now());
    if (!until) return {};
    const auto why = "its server " + printable(server) + " did not answer lately";
    store_.put_off(url, why, *until, issuers);
    if (const auto slot = store_.find(url)) tell_of_end(*slot);
    return why + " (next try after " + date(*until) + "; postern crl refresh tries at once)";
}

void Flights::begin(const std::string& url) {
    try {
        const auto pending = std::make_shared<Pending<FetchAnswer>>(ask(url, true));
        pending->on_ready([this, url, pending] { arrived(url, pending); });
    } catch (const std::exception& fault) {
        landed(url, Failure{"crl-unreachable", std::string("the fetch could not begin: ") + fault.what()});
    }
}

Pending<FetchAnswer> Flights::ask(const std::string& url, bool conditional) {
    auto scheme = url.substr(0, url.find(':'));
    for (auto& c : scheme)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    auto* fetcher = host_.role<Fetcher>(scheme);
    if (!fetcher)
        return Failure{"crl-unreachable",
                       "no plugin fetches " + scheme + " here (proxy-winhttp brings http and https, crl itself ldap)"};
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
    if (const auto slot = store_.find(url); conditional && slot && slot->list) {
        request.if_none_match = slot->etag;
        request.if_modified_since = slot->last_modified;
    }
    return fetcher->fetch(std::move(request));
}

void Flights::arrived(const std::string& url, const Arrived& answer) {
    {
        std::lock_guard lock(mutex_);
        if (stopped_) return;
        arrived_.emplace_back(url, answer);
        changed_.notify_one();  // within: once the answer is out we may be destroyed
    }
}

void Flights::run() {
    std::unique_lock lock(mutex_);
    for (;;) {
        changed_.wait(lock, [this] { return stopped_ || !arrived_.empty(); });
        if (stopped_) return;
        auto [url, answer] = std::move(arrived_.front());
        arrived_.pop_front();
        lock.unlock();
        try {
            landed(url, answer->take());
        } catch (...) {
            // Who waits threw: theirs alone, the next flight lands all the same.
            host_.log(Severity::error, messages::crl_fetch_failed, url + ": whoever waited for it failed");
        }
        answer = nullptr;
        lock.lock();
    }
}

// Empty, or why what came is not believed.
std::string Flights::judge(const std::string& url, FetchAnswer& answer, const std::vector<x509::Certificate>& issuers) {
    if (answer.not_modified) {
        const auto slot = store_.find(url);
        if (!slot || !slot->list) return "the server says \"not modified\" of a list that is not here";
        store_.unchanged(url);
        return {};
    }
    auto lists = lists_of(std::move(answer.body));
    if (!lists) return "the list was not believed: " + lists.failure.text;
    // A directory may hold a CA's old list beside the new one: one that is believed is enough.
    std::string first;
    bool taken = false;
    for (auto& der : *lists) {
        const auto error = store_.take(url, std::move(der), issuers, answer.etag, answer.last_modified);
        taken |= error.empty();
        if (first.empty()) first = error;
    }
    return taken ? std::string() : "the list was not believed: " + first;
}

// Fetchers tell of which URL they speak; so does everybody who passes this on.
static std::string without_url(const std::string& url, const std::string& text) {
    if (text.empty()) return "the fetcher gave no reason";
    return text.starts_with(url + " ") ? text.substr(url.size() + 1) : text;
}

// As judge, and nothing escapes: a flight that does not land would keep its URL for ever.
std::string Flights::take_in(const std::string& url, Outcome<FetchAnswer>& answer,
                             const std::vector<x509::Certificate>& from) try {
    if (!answer) return without_url(url, answer.failure.text);
    auto error = judge(url, *answer, from);
    const auto slot = store_.find(url);
    if (!error.empty() || !slot || !slot->list) return error;
    const auto& end = slot->list->list.next_update;
    return end && *end < host_.now() - clock_skew ? "the newest list there ended " + date(*end) : error;
} catch (const std::exception& fault) {
    return std::string("the list could not be taken in: ") + fault.what();
}

void Flights::landed(const std::string& url, Outcome<FetchAnswer> answer) {
    std::vector<x509::Certificate> issuers;
    Milliseconds backoff{};
    {
        std::lock_guard lock(mutex_);
        if (const auto flight = flights_.find(url); flight != flights_.end()) issuers = flight->second.issuers;
        backoff = settings_.backoff;
    }
    if (!answer && answer.failure.token == host_unreachable) servers_.silent(server_of(url), backoff, host_.now());
    else servers_.answered(server_of(url), host_.now());
    const auto error = take_in(url, answer, issuers);
    if (error.empty()) {
        store_.succeeded(url, backoff);
        host_.log(Severity::info, messages::crl_fetched,
                  url + " " + answer->way + (answer->not_modified ? ", not modified" : ""));
    } else {
        store_.failed(url, error, backoff, issuers);
        host_.log(Severity::warning, messages::crl_fetch_failed, url + ": " + error);
    }
    if (const auto slot = store_.find(url)) {
        gauge(slot->url, slot->list);
        tell_of_end(*slot);
    }
    std::vector<Done> waiting;
    {
        // Only now: who asked meanwhile was added to this flight, and is told its result.
        std::lock_guard lock(mutex_);
        auto flight = flights_.extract(url);
        if (!flight.empty()) waiting = std::move(flight.mapped().waiting);
    }
    for (const auto& done : waiting) done(without_way(error));
}

void Flights::imported(const std::string& url, const std::string& from) {
    store_.succeeded(url, Milliseconds(0));
    host_.log(Severity::info, messages::crl_imported, url + " from " + from);
    const auto slot = store_.find(url);
    if (!slot) return;
    gauge(slot->url, slot->list);
    tell_of_end(*slot);
}

// The first few by name: an alarm is a line.
std::string Flights::who_suffers(const std::string& list) const {
    constexpr std::size_t most_named = 3;
    const auto all = readers_ ? readers_->of(list) : std::vector<Reader>();
    if (all.empty()) return "mail of partners with certificates of that CA";
    std::string text;
    for (std::size_t i = 0; i < std::min(all.size(), most_named); ++i) text += (i ? ", " : "") + all[i].text();
    return all.size() > most_named ? text + " and " + std::to_string(all.size() - most_named) + " more" : text;
}

// Nobody fetches what an operator laid down; he hears of its end a day ahead, unless another list outlives it.
void Flights::tell_of_files() {
    const auto now = host_.now();
    const auto soon = now + time_to_act;
    std::set<std::string> ending;
    const auto files = store_.files();
    for (const auto& file : files) {
        const auto& end = file->list.next_update;
        const auto outlives = [&](const KnownListRef& other) {
            return !other->list.base_number && (!other->list.next_update || *other->list.next_update > soon);
        };
        if (!end || *end > soon || std::ranges::any_of(store_.named(file->list.issuer.key()), outlives)) continue;
        ending.insert(file->source());
        host_.alarm("crl-ending", file->source(),
                    "the list of " + file->list.issuer.text() + " in this file " + (*end < now ? "ended " : "ends ") +
                        date(*end) + "; put a newer one there and reload. Deferred then is " +
                        who_suffers(file->source()));
    }
    for (const auto& file : ending_files_)
        if (!ending.contains(file)) host_.alarm("crl-ending", file, {});
    ending_files_ = std::move(ending);
}

// Two alarms, at most one of which stands: the list has ended, or it will and refreshing it fails.
void Flights::tell_of_end(const Slot& slot) const {
    std::string ended, ending;
    if (slot.list && slot.list->list.next_update && !slot.last_error.empty()) {
        const auto end = *slot.list->list.next_update, now = host_.now();
        if (end < now)
            ended = "the list ended and no newer one could be had: " + slot.last_error + "; deferred is " +
                    who_suffers(slot.url);
        else if (slot.failures >= failures_to_tell && end - now <= time_to_act)
            ending = "the list of " + slot.list->list.issuer.text() + " ends " + date(end) +
                     " and no newer one could be had: " + slot.last_error + ". From then on " + who_suffers(slot.url) +
                     " is deferred";
    }
    host_.alarm("crl-unreachable", slot.url, ended);
    host_.alarm("crl-ending", slot.url, ending);
}

void Flights::gauge(const std::string& where, const KnownListRef& list) const {
    if (!list || !list->list.next_update) return;
    std::string label = "url=\"";
    for (const char c : where)
        if (c == '"' || c == '\\') (label += '\\') += c;
        else label += static_cast<unsigned char>(c) < 32 ? '?' : c;
    const auto seconds = std::chrono::system_clock::to_time_t(*list->list.next_update);
    host_.gauge("postern_crl_next_update_timestamp_seconds", label + "\"", static_cast<double>(seconds));
}

void Flights::gauges() const {
    for (const auto& file : store_.files()) gauge(file->source(), file);
    for (const auto& slot : store_.slots()) gauge(slot.url, slot.list);
}

void Flights::refresh_due() {
    store_.forget_unused();
    tell_of_files();
    const auto now = host_.now();
    for (const auto& slot : store_.slots()) {
        if (!slot.last_error.empty()) tell_of_end(slot);
        const bool wanted = slot.list && last_use(slot) + longest_unused > now;
        if (wanted && now >= slot.due && now >= slot.not_before) fetch(slot.url, {}, false, [](auto&) {});
    }
}

}  // namespace postern::crl
