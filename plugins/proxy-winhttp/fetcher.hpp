// The Fetcher for http and https: a queue, one thread, one libcurl multi handle that waits on all transfers at once.
//
// Knows nothing of what is fetched. fetch() only queues, from any thread; answers are given on the fetching thread.
#pragma once

#include <deque>
#include <map>
#include <mutex>
#include <postern/host.hpp>
#include <proxy-winhttp/roots_file.hpp>
#include <proxy-winhttp/transfer.hpp>
#include <thread>

namespace postern::proxy_winhttp {

class HttpFetcher final : public Fetcher {
public:
    explicit HttpFetcher(Host& host);
    ~HttpFetcher() override;  // fails what is under way

    Pending<FetchAnswer> fetch(FetchRequest request) override;
    // PEM files beside the system's roots, for https. A failure names the file; then https fetches nothing.
    std::optional<Failure> trust(const std::vector<std::string>& files);
    void stop();

private:
    static constexpr std::size_t most_at_once = 64;
    static constexpr std::size_t most_waiting = 4096;

    void run();
    void begin_waiting();
    void reap();
    void end_all();

    Host& host_;
    std::unique_ptr<CURLM, decltype(&curl_multi_cleanup)> multi_{nullptr, curl_multi_cleanup};
    std::mutex mutex_;
    std::deque<std::unique_ptr<Transfer>> waiting_;
    bool stopping_ = false;
    std::shared_ptr<const RootsFile> roots_;
    Budget budget_;                                       // the thread's own
    std::map<CURL*, std::unique_ptr<Transfer>> running_;  // the thread's own
    std::thread thread_;
};

}  // namespace postern::proxy_winhttp
