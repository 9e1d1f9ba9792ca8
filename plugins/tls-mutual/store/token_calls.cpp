#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <system_error>
#include <thread>
#include <tls-mutual/store/token_calls.hpp>
#include <utility>
#include <vector>

namespace postern::tls_mutual {

// Never destroyed: threads that hang refer to it.
TokenCalls& TokenCalls::of_process() {
    static auto* one = new TokenCalls;
    return *one;
}

bool TokenCalls::hangs(const std::string& token) const {
    const std::lock_guard held(mutex_);
    return late_.contains(token);
}

void TokenCalls::abandon(const std::string& token, std::shared_ptr<void> what) {
    const std::lock_guard held(mutex_);
    abandoned_.emplace(token, std::move(what));
}

void TokenCalls::tell(News news) {
    const std::lock_guard held(telling_);
    news_ = std::move(news);
}

bool TokenCalls::begin(std::function<void()> body) {
    try {
        std::thread(std::move(body)).detach();
    } catch (const std::system_error&) {
        return false;  // no thread is to be had: as good as a token that does not answer
    }
    return true;
}

void TokenCalls::apart(std::function<void()> call) { (void)begin(std::move(call)); }

void TokenCalls::late(const std::string& token) {
    {
        const std::lock_guard held(mutex_);
        if (this == &of_process() && !std::exchange(leaves_at_once_, true)) (void)::on_exit(leave_at_once, nullptr);
    }
    const std::lock_guard held(telling_);
    if (news_) news_(token, true);
}

void TokenCalls::back(const std::string& token) {
    std::vector<std::shared_ptr<void>> leaving;
    {
        const std::lock_guard held(mutex_);
        if (--late_[token] > 0) return;
        late_.erase(token);
        const auto [first, last] = abandoned_.equal_range(token);
        for (auto one = first; one != last; ++one) leaving.push_back(std::move(one->second));
        abandoned_.erase(first, last);
    }
    leaving.clear();
    const std::lock_guard held(telling_);
    if (news_) news_(token, false);
}

// At the process's end GnuTLS ends the modules, and would wait for the one that hangs.
void TokenCalls::leave_at_once(int status, void*) {
    const auto& calls = of_process();
    {
        const std::lock_guard held(calls.mutex_);
        if (calls.late_.empty()) return;
    }
    std::fflush(nullptr);
    ::_exit(status);
}

}  // namespace postern::tls_mutual
