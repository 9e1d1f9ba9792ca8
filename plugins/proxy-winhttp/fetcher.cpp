// The fetching thread; see fetcher.hpp. Start at run().
#include <proxy-winhttp/fetcher.hpp>

namespace postern::proxy_winhttp {

HttpFetcher::HttpFetcher(Host& host) : host_(host) {
    static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
    if (ready == CURLE_OK) multi_.reset(curl_multi_init());
    if (multi_) thread_ = std::thread([this] { run(); });
}

HttpFetcher::~HttpFetcher() { stop(); }

Pending<FetchAnswer> HttpFetcher::fetch(FetchRequest request) {
    const auto answer = Answer<FetchAnswer>::make();
    auto transfer = std::make_unique<Transfer>(std::move(request), answer);
    {
        std::lock_guard lock(mutex_);
        if (!multi_ || stopping_ || waiting_.size() >= most_waiting)
            return Failure{"crl-unreachable", stopping_ ? "the fetcher is shutting down" : "too many fetches at once"};
        transfer->trust(roots_);
        waiting_.push_back(std::move(transfer));
    }
    curl_multi_wakeup(multi_.get());
    return answer.pending();
}

std::optional<Failure> HttpFetcher::trust(const std::vector<std::string>& files) {
    auto roots = RootsFile::beside_system(files);
    std::lock_guard lock(mutex_);
    // Where they cannot be read, none are trusted: neither the system's alone nor those of before.
    roots_ = roots ? *roots : RootsFile::none();
    return roots ? std::nullopt : std::optional(roots.failure);
}

void HttpFetcher::stop() {
    {
        std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    if (!thread_.joinable()) return;
    curl_multi_wakeup(multi_.get());
    thread_.join();
}

void HttpFetcher::run() {
    for (;;) {
        {
            std::lock_guard lock(mutex_);
            if (stopping_) break;
        }
        begin_waiting();
        int active = 0;
        curl_multi_perform(multi_.get(), &active);
        reap();
        curl_multi_poll(multi_.get(), nullptr, 0, 1000, nullptr);
    }
    end_all();
}

void HttpFetcher::begin_waiting() {
    while (running_.size() < most_at_once) {
        std::unique_ptr<Transfer> transfer;
        {
            std::lock_guard lock(mutex_);
            if (waiting_.empty()) return;
            transfer = std::move(waiting_.front());
            waiting_.pop_front();
        }
        // Asked at each transfer: the role may have gone.
        if (!transfer->begin(host_.role<ProxyResolver>(), budget_)) continue;
        auto* handle = transfer->handle();
        if (!handle || curl_multi_add_handle(multi_.get(), handle) != CURLM_OK) {
            transfer->fail("out of memory");
            continue;
        }
        running_.emplace(handle, std::move(transfer));
    }
}

void HttpFetcher::reap() {
    int left = 0;
    bool again = false;
    while (auto* message = curl_multi_info_read(multi_.get(), &left)) {
        if (message->msg != CURLMSG_DONE) continue;
        const auto code = message->data.result;
        auto node = running_.extract(message->easy_handle);
        curl_multi_remove_handle(multi_.get(), node.key());
        auto& transfer = *node.mapped();
        again = true;
        if (!transfer.finished(code)) continue;
        if (!transfer.handle() || curl_multi_add_handle(multi_.get(), transfer.handle()) != CURLM_OK) {
            transfer.fail("out of memory");
            continue;
        }
        node.key() = transfer.handle();
        running_.insert(std::move(node));
    }
    if (again) curl_multi_wakeup(multi_.get());  // a next hop, or a place for one that waits: no pause before it
}

void HttpFetcher::end_all() {
    std::deque<std::unique_ptr<Transfer>> waiting;
    {
        std::lock_guard lock(mutex_);
        waiting.swap(waiting_);
    }
    for (const auto& transfer : waiting) transfer->fail("the fetcher is shutting down");
    for (const auto& [handle, transfer] : running_) {
        curl_multi_remove_handle(multi_.get(), handle);
        transfer->fail("the fetcher is shutting down");
    }
    running_.clear();
}

}  // namespace postern::proxy_winhttp
