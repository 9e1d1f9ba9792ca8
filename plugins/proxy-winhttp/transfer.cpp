// One fetch as a small machine around a libcurl handle; see transfer.hpp. Start at start_hop().
#include <sys/socket.h>

#include <algorithm>
#include <proxy-winhttp/address.hpp>
#include <proxy-winhttp/transfer.hpp>

namespace postern::proxy_winhttp {
namespace {

constexpr std::size_t most_header_octets = 64 << 10;
constexpr std::size_t longest_validator = 256;  // ETag, Last-Modified: stored and sent back, so kept short
constexpr Milliseconds longest_connect{10000};

// libcurl's setopt is variadic; only the types that it documents are passed.
template <class T>
void set(CURL* easy, CURLoption option, T value) {
    curl_easy_setopt(easy, option, value);
}

bool is_one_line(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
}

// RFC 9110 5.1: field names in any case.
bool has_name(std::string_view line, std::string_view name) {
    if (line.size() <= name.size() || line[name.size()] != ':') return false;
    return std::equal(name.begin(), name.end(), line.begin(),
                      [](char a, char b) { return a == (b >= 'A' && b <= 'Z' ? b - 'A' + 'a' : b); });
}

std::string field_value(std::string_view line) {
    line.remove_prefix(line.find(':') + 1);
    while (!line.empty() && (line.front() == ' ' || line.front() == '\t')) line.remove_prefix(1);
    while (!line.empty() && (line.back() == ' ' || line.back() == '\r' || line.back() == '\n')) line.remove_suffix(1);
    return line.size() <= longest_validator && is_one_line(line) ? std::string(line) : std::string();
}

}  // namespace

Transfer::Transfer(FetchRequest request, Answer<FetchAnswer> answer)
    : request_(std::move(request)), answer_(std::move(answer)), deadline_(Clock::now() + request_.rules.timeout) {}

void Transfer::trust(std::shared_ptr<const RootsFile> roots) { roots_ = std::move(roots); }

Transfer::~Transfer() { drop_body(); }

Milliseconds Transfer::left() const { return std::chrono::duration_cast<Milliseconds>(deadline_ - Clock::now()); }

void Transfer::drop_body() {
    if (budget_) budget_->held -= result_.body.size();
    result_.body = {};
}

void Transfer::fail(std::string why) {
    answer_.fail({std::string(silent_ ? host_unreachable : "crl-unreachable"), std::move(why)});
}

// `URL (way): why`: what stands in parentheses tells of our side, and whoever answers strangers leaves it out.
bool Transfer::fail_hop(const std::string& why) {
    const auto at = redirects_ > 0 ? "redirected to " + printable(url_.text) + ": " : std::string();
    fail(printable(request_.url) + " (" + (result_.way.empty() ? "not asked" : result_.way) + "): " + at + why);
    return false;
}

bool Transfer::fail_not_public() {
    result_.way += (result_.way.empty() ? "leads to " : " to ") + vetoed_;
    return fail_hop("it leads to an address that is not public");
}

bool Transfer::begin(ProxyResolver* proxies, Budget& budget) {
    proxies_ = proxies;
    budget_ = &budget;
    return start_hop(request_.url);
}

bool Transfer::start_hop(std::string_view text) {
    auto parsed = Url::parse(text);
    if (!parsed) {
        fail(parsed.failure.text);
        return false;
    }
    if (redirects_ > 0 && url_.scheme == "https" && parsed->scheme == "http")
        return fail_hop("it redirects from https to http, to " + printable(parsed->text));
    url_ = std::move(*parsed);
    if (const auto why = refusal(url_, request_.rules)) return fail_hop(*why);
    if (left() <= Milliseconds(0)) return fail_hop("no answer in time");
    if (!proxies_) return fail_hop("nobody says whether to go direct or by proxy");
    const bool named = named_by_operator(url_.host, request_.rules);
    choice_ = proxies_->choose(url_.text, !named);
    if (!choice_.direct && choice_.host.empty()) return fail_hop("the proxy settings cannot be used: " + choice_.why);
    private_allowed_ = named || request_.rules.allow_private;
    if (!choice_.direct && !private_allowed_) {
        start_resolving();
        return true;
    }
    return start_request();
}

void Transfer::prepare(Stage stage) {
    stage_ = stage;
    vetoed_.clear();
    reached_.clear();
    header_octets_ = 0;
    easy_.reset(curl_easy_init());
    auto* easy = easy_.get();
    if (!easy) return;
    set(easy, CURLOPT_PRIVATE, this);
    set(easy, CURLOPT_URL, url_.text.c_str());
    set(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    set(easy, CURLOPT_NOSIGNAL, 1L);
    set(easy, CURLOPT_FOLLOWLOCATION, 0L);
    set(easy, CURLOPT_PROXY, "");    // also shuts off http_proxy and its kin
    set(easy, CURLOPT_NOPROXY, "");  // and no_proxy
    set(easy, CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
    set(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    set(easy, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
    if (roots_) set(easy, CURLOPT_CAINFO, roots_->path().c_str());
#if LIBCURL_VERSION_NUM >= 0x075700
    // DNS that hangs is left behind at the time-out; libcurl would wait for it here, and with it every other fetch.
    set(easy, CURLOPT_QUICK_EXIT, 1L);
#endif
    // A kept connection might have been opened under other rules.
    set(easy, CURLOPT_FRESH_CONNECT, 1L);
    set(easy, CURLOPT_FORBID_REUSE, 1L);
    set(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(std::max<std::int64_t>(1, left().count())));
    set(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(longest_connect.count()));
    set(easy, CURLOPT_OPENSOCKETFUNCTION, &Transfer::open_socket);
    set(easy, CURLOPT_OPENSOCKETDATA, this);
}

void Transfer::start_resolving() {
    prepare(Stage::resolving);
    if (easy_) set(easy_.get(), CURLOPT_CONNECT_ONLY, 1L);
}

bool Transfer::start_request() {
    result_.way += (result_.way.empty() ? "" : ", then ");
    result_.way += choice_.direct ? "direct" : "by proxy " + choice_.host + ":" + std::to_string(choice_.port);
    drop_body();
    result_.etag.clear();
    result_.last_modified.clear();
    prepare(Stage::requesting);
    auto* easy = easy_.get();
    if (!easy) return fail_hop("out of memory");
    set(easy, CURLOPT_USERAGENT, "Postern");
    set(easy, CURLOPT_WRITEFUNCTION, &Transfer::take_body);
    set(easy, CURLOPT_WRITEDATA, this);
    set(easy, CURLOPT_HEADERFUNCTION, &Transfer::take_header);
    set(easy, CURLOPT_HEADERDATA, this);
    set(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    prepare_headers();
    if (!choice_.direct) prepare_proxy();
    return true;
}

void Transfer::prepare_headers() {
    const auto add = [&](std::string_view name, const std::string& value) {
        if (value.empty() || !is_one_line(value)) return;
        const auto line = std::string(name) + ": " + value;
        if (auto* longer = curl_slist_append(headers_.get(), line.c_str())) {
            static_cast<void>(headers_.release());
            headers_.reset(longer);
        }
    };
    headers_.reset();
    add("If-None-Match", request_.if_none_match);
    add("If-Modified-Since", request_.if_modified_since);
    set(easy_.get(), CURLOPT_HTTPHEADER, headers_.get());
}

void Transfer::prepare_proxy() {
    auto* easy = easy_.get();
    const bool brackets = choice_.host.find(':') != std::string::npos;
    set(easy, CURLOPT_PROXY, ("http://" + (brackets ? "[" + choice_.host + "]" : choice_.host)).c_str());
    set(easy, CURLOPT_PROXYPORT, static_cast<long>(choice_.port));
    set(easy, CURLOPT_PROXYTYPE, static_cast<long>(CURLPROXY_HTTP));
    if (choice_.user.empty() && choice_.password.empty()) return;
    // Digest where the proxy offers it: libcurl takes the better one of what the 407 names.
    set(easy, CURLOPT_PROXYAUTH, static_cast<long>(CURLAUTH_BASIC | CURLAUTH_DIGEST));
    set(easy, CURLOPT_PROXYUSERNAME, choice_.user.c_str());
    set(easy, CURLOPT_PROXYPASSWORD, choice_.password.c_str());
}

bool Transfer::finished(CURLcode code) {
    if (stage_ == Stage::resolving) return resolved(code);
    if (!reached_.empty() && choice_.direct) result_.way += " to " + reached_;
    if (code != CURLE_OK && !vetoed_.empty() && reached_.empty()) return fail_not_public();
    if (code == CURLE_OK) return answered();
    silent_ = is_silence(code);
    return fail_hop(why_failed(code));
}

// No socket may be opened while resolving, so success is impossible and "could not connect" is the good end.
bool Transfer::resolved(CURLcode code) {
    if (!vetoed_.empty()) return fail_not_public();
    if (code == CURLE_COULDNT_CONNECT && !reached_.empty()) return start_request();
    silent_ = redirects_ == 0;
    if (code == CURLE_OPERATION_TIMEDOUT) return fail_hop("DNS did not answer in time");
    return fail_hop(
        "DNS here does not know its host, so that it cannot be checked before the proxy is asked; name the "
        "host among the allowed hosts");
}

// The URL's own host, not one that it redirects to, nor the proxy.
bool Transfer::is_silence(CURLcode code) const {
    if (redirects_ > 0 || header_octets_ > 0) return false;
    if (code == CURLE_OPERATION_TIMEDOUT) return true;
    return choice_.direct && (code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST);
}

bool Transfer::answered() {
    long status = 0;
    curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &status);
    if (status == 301 || status == 302 || status == 303 || status == 307 || status == 308) return redirected();
    result_.not_modified = status == 304;
    if (result_.not_modified && !headers_) return fail_hop("304 Not Modified to a request without condition");
    if (status == 407) return fail_hop(proxy_refuses());
    if (status != 200 && status != 304) return fail_hop("status " + std::to_string(status));
    if (budget_) budget_->held -= result_.body.size();
    budget_ = nullptr;  // the octets are the consumer's now
    answer_.give(std::move(result_));
    result_ = {};
    return false;
}

bool Transfer::redirected() {
    char* target = nullptr;
    curl_easy_getinfo(easy_.get(), CURLINFO_REDIRECT_URL, &target);
    if (!target) return fail_hop("it redirects to nowhere");
    if (redirects_ >= request_.rules.redirects)
        return fail_hop("it redirects more than " + std::to_string(request_.rules.redirects) + " times");
    ++redirects_;
    return start_hop(std::string(target));
}

std::string Transfer::proxy_refuses() const {
    return choice_.user.empty() ? "the proxy asks for credentials (407): postern proxy set USER:PASSWORD@HOST:PORT"
                                : "the proxy refuses the credentials that it was given (407)";
}

std::string Transfer::why_failed(CURLcode code) const {
    long tunnel = 0;
    curl_easy_getinfo(easy_.get(), CURLINFO_HTTP_CONNECTCODE, &tunnel);
    if (tunnel == 407) return proxy_refuses();
    if (tunnel != 0 && tunnel / 100 != 2) return "the proxy answers CONNECT with status " + std::to_string(tunnel);
    if (too_large_) return "it is larger than " + std::to_string(request_.rules.bytes) + " octets";
    if (budget_spent_) return "too much is being fetched at once";
    if (too_many_headers_) return "its header is larger than 64 KiB";
    if (code == CURLE_OPERATION_TIMEDOUT) return "no answer in time";
    if (code == CURLE_PEER_FAILED_VERIFICATION)
        return "the server's TLS certificate is not trusted, or is another host's (https_roots may name its authority)";
    return curl_easy_strerror(code);  // a fixed sentence: nothing of the request in it
}

curl_socket_t Transfer::open_socket(void* self, curlsocktype, curl_sockaddr* address) {
    auto& transfer = *static_cast<Transfer*>(self);
    const bool to_origin = transfer.stage_ == Stage::resolving || transfer.choice_.direct;
    if (to_origin && !transfer.private_allowed_ && !is_public(address->addr)) {
        transfer.vetoed_ = to_text(address->addr);
        return CURL_SOCKET_BAD;
    }
    transfer.reached_ = to_text(address->addr);
    if (transfer.stage_ == Stage::resolving) return CURL_SOCKET_BAD;
    return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

std::size_t Transfer::take_body(char* data, std::size_t size, std::size_t count, void* self) {
    auto& transfer = *static_cast<Transfer*>(self);
    auto& body = transfer.result_.body;
    const auto octets = size * count;
    transfer.too_large_ = octets > transfer.request_.rules.bytes - body.size();
    transfer.budget_spent_ = transfer.budget_->held + octets > Budget::most;
    if (transfer.too_large_ || transfer.budget_spent_) return 0;
    transfer.budget_->held += octets;
    body.insert(body.end(), data, data + octets);
    return octets;
}

std::size_t Transfer::take_header(char* data, std::size_t size, std::size_t count, void* self) {
    auto& transfer = *static_cast<Transfer*>(self);
    const auto octets = size * count;
    transfer.header_octets_ += octets;
    transfer.too_many_headers_ = transfer.header_octets_ > most_header_octets;
    if (transfer.too_many_headers_) return 0;
    transfer.note_header({data, octets});
    return octets;
}

void Transfer::note_header(std::string_view line) {
    if (line.starts_with("HTTP/")) {  // what an interim answer or a 407 brought is not this answer's
        drop_body();
        result_.etag.clear();
        result_.last_modified.clear();
    }
    if (has_name(line, "etag")) result_.etag = field_value(line);
    if (has_name(line, "last-modified")) result_.last_modified = field_value(line);
}

}  // namespace postern::proxy_winhttp
