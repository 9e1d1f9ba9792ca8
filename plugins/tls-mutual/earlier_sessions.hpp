// What a client keeps of its sessions so that a later one may continue them: by a key that names all that must be alike
// (session_resumption.cpp makes it). Bounded in number, octets and age; in memory alone; wiped behind. Any thread.
//
// Octets are GnuTLS' own form, with the server's chain in them. Nothing here reads them.
#pragma once

#include <chrono>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <tls-mutual/key_file.hpp>

namespace postern::tls_mutual {

struct EarlierSession {
    using Instant = std::chrono::steady_clock::time_point;
    Secret octets;
    Instant proven{};         // the whole handshake that it goes back to: then both showed that they have their keys
    bool single_use = false;  // RFC 8446 C.4: a ticket shown twice tells an onlooker who came again
    // Of that handshake, as a continued one repeats neither.
    bool certificate_requested = false;
    bool own_certificate_sent = false;
    std::size_t presented = 0;  // which of our certificates, by its place in the identity; where one was sent
};

class EarlierSessions {
public:
    using Instant = EarlierSession::Instant;
    static constexpr std::chrono::seconds life{3600};
    static constexpr std::size_t most = 1000, most_of_a_key = 8;
    static constexpr std::size_t most_octets = 16u << 10;  // chains of five take 8 KiB; a larger one is not kept

    void keep(const std::string& key, EarlierSession session, Instant now);
    // The newest; taken out where it is good for one use.
    std::optional<EarlierSession> take(const std::string& key, Instant now);
    // All whose key begins so.
    void forget(std::string_view prefix);
    void sweep(Instant now);
    std::size_t size() const;

private:
    using ByKey = std::map<std::string, std::deque<EarlierSession>, std::less<>>;  // the newest last
    void drop_oldest();                                                            // wants mutex_

    mutable std::mutex mutex_;
    ByKey sessions_;
    std::size_t count_ = 0;
};

}  // namespace postern::tls_mutual
