// One fetch, hop by hop: rules, way, request, answer or the next redirect. Lives on the fetcher's thread alone.
//
// Each hop runs one libcurl handle in at most two stages: behind a proxy the name is resolved here first (a handle that
// may open no socket collects the addresses), then the request itself goes out. Start at begin() and finished().
#pragma once

#include <curl/curl.h>

#include <chrono>
#include <memory>
#include <postern/fetch.hpp>
#include <proxy-winhttp/roots_file.hpp>
#include <proxy-winhttp/url.hpp>

namespace postern::proxy_winhttp {

// What all transfers together hold in memory; one that would go beyond fails.
struct Budget {
    std::uint64_t held = 0;
    static constexpr std::uint64_t most = 160u << 20;
};

class Transfer {
public:
    using Clock = std::chrono::steady_clock;

    Transfer(FetchRequest request, Answer<FetchAnswer> answer);
    ~Transfer();
    Transfer(const Transfer&) = delete;
    Transfer& operator=(const Transfer&) = delete;

    // Whom https servers are trusted by; null: libcurl's own, the system's.
    void trust(std::shared_ptr<const RootsFile> roots);
    // False once the answer was given; else handle() is ready to run.
    bool begin(ProxyResolver* proxies, Budget& budget);
    // After libcurl ended the handle: false once the answer was given, else handle() is ready to run again.
    bool finished(CURLcode code);
    void fail(std::string why);
    CURL* handle() const { return easy_.get(); }

private:
    enum class Stage { resolving, requesting };

    bool start_hop(std::string_view url);
    bool start_request();
    void start_resolving();
    bool resolved(CURLcode code);
    bool is_silence(CURLcode code) const;
    bool answered();
    bool redirected();
    void prepare(Stage stage);
    void prepare_proxy();
    void prepare_headers();
    bool fail_hop(const std::string& why);
    bool fail_not_public();
    std::string why_failed(CURLcode code) const;
    std::string proxy_refuses() const;
    Milliseconds left() const;
    void drop_body();

    static curl_socket_t open_socket(void* self, curlsocktype purpose, curl_sockaddr* address);
    static std::size_t take_body(char* data, std::size_t size, std::size_t count, void* self);
    static std::size_t take_header(char* data, std::size_t size, std::size_t count, void* self);
    void note_header(std::string_view line);

    FetchRequest request_;
    std::shared_ptr<const RootsFile> roots_;
    Answer<FetchAnswer> answer_;
    Clock::time_point deadline_;
    ProxyResolver* proxies_ = nullptr;
    Budget* budget_ = nullptr;
    std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> easy_{nullptr, curl_easy_cleanup};
    std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)> headers_{nullptr, curl_slist_free_all};

    Url url_;
    ProxyChoice choice_;
    Stage stage_ = Stage::requesting;
    std::uint32_t redirects_ = 0;
    bool private_allowed_ = false;
    std::string vetoed_, reached_;  // addresses of this hop
    std::size_t header_octets_ = 0;
    bool too_large_ = false, too_many_headers_ = false, budget_spent_ = false;
    bool silent_ = false;  // nobody answers at the URL's host
    FetchAnswer result_;
};

}  // namespace postern::proxy_winhttp
