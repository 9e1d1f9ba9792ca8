#include <algorithm>
#include <crl/servers.hpp>

namespace postern::crl {

Milliseconds pause_after(unsigned failures, Milliseconds backoff) {
    return std::min<Milliseconds>(backoff * (1u << std::min(failures, 16u)), longest_backoff);
}

std::string server_of(std::string_view url) {
    const auto colon = url.find("://");
    const auto end = colon == std::string_view::npos ? colon : url.find_first_of("/?#", colon + 3);
    std::string server(url.substr(0, end));
    for (auto& c : server)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return server;
}

std::optional<Time> Servers::rests_until(const std::string& server, Time now) const {
    std::lock_guard lock(mutex_);
    const auto found = known_.find(server);
    if (found == known_.end() || found->second.rests_until <= now) return std::nullopt;
    return found->second.rests_until;
}

Servers::Known& Servers::known(const std::string& server) {
    if (known_.size() >= most && !known_.contains(server))
        known_.clear();  // all are asked again: no harm but time-outs
    return known_[server];
}

void Servers::silent(const std::string& server, Milliseconds backoff, Time now) {
    std::lock_guard lock(mutex_);
    auto& one = known(server);
    // Several that were under way at once tell of one silence.
    if (one.rests_until > now || one.answered + backoff > now) return;
    one.rests_until = now + pause_after(one.failures++, backoff);
}

void Servers::answered(const std::string& server, Time now) {
    std::lock_guard lock(mutex_);
    known(server) = {0, {}, now};
}

}  // namespace postern::crl
