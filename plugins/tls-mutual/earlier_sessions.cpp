#include <algorithm>
#include <tls-mutual/earlier_sessions.hpp>

namespace postern::tls_mutual {
namespace {

EarlierSession copy_of(const EarlierSession& one) {
    EarlierSession copy;
    copy.octets.bytes = one.octets.bytes;
    copy.proven = one.proven;
    copy.single_use = one.single_use;
    copy.certificate_requested = one.certificate_requested;
    copy.own_certificate_sent = one.own_certificate_sent;
    copy.presented = one.presented;
    return copy;
}

}  // namespace

void EarlierSessions::keep(const std::string& key, EarlierSession session, Instant now) {
    if (session.octets.bytes.empty() || session.octets.bytes.size() > most_octets || now >= session.proven + life)
        return;
    std::lock_guard lock(mutex_);
    auto& all = sessions_[key];
    // One that may be used again stands for all of its kind.
    if (!session.single_use || (!all.empty() && !all.back().single_use)) {
        count_ -= all.size();
        all.clear();
    }
    if (all.size() >= most_of_a_key) {
        all.pop_front();
        --count_;
    }
    all.push_back(std::move(session));
    if (++count_ > most) drop_oldest();
}

std::optional<EarlierSession> EarlierSessions::take(const std::string& key, Instant now) {
    std::lock_guard lock(mutex_);
    const auto found = sessions_.find(key);
    if (found == sessions_.end()) return std::nullopt;
    auto& all = found->second;
    std::optional<EarlierSession> taken;
    while (!all.empty() && !taken) {
        auto& newest = all.back();
        const bool good = now < newest.proven + life;
        if (good && !newest.single_use) return copy_of(newest);
        if (good) taken = std::move(newest);
        all.pop_back();
        --count_;
    }
    if (all.empty()) sessions_.erase(found);
    return taken;
}

void EarlierSessions::forget(std::string_view prefix) {
    std::lock_guard lock(mutex_);
    for (auto at = sessions_.lower_bound(prefix); at != sessions_.end() && at->first.starts_with(prefix);) {
        count_ -= at->second.size();
        at = sessions_.erase(at);
    }
}

void EarlierSessions::sweep(Instant now) {
    std::lock_guard lock(mutex_);
    for (auto at = sessions_.begin(); at != sessions_.end();) {
        auto& all = at->second;
        count_ -= std::erase_if(all, [&](const auto& one) { return now >= one.proven + life; });
        at = all.empty() ? sessions_.erase(at) : std::next(at);
    }
}

void EarlierSessions::drop_oldest() {
    const auto oldest =
        std::ranges::min_element(sessions_, {}, [](const auto& one) { return one.second.front().proven; });
    oldest->second.pop_front();
    --count_;
    if (oldest->second.empty()) sessions_.erase(oldest);
}

std::size_t EarlierSessions::size() const {
    std::lock_guard lock(mutex_);
    return count_;
}

}  // namespace postern::tls_mutual
