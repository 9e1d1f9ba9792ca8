// The keys under which a server's session tickets are sealed: one for each scope, made when it is first needed, thrown
// away an hour later. In memory alone; wiped behind.
//
// A session takes its scope's one key, so that a ticket of any other, or of an hour ago, is no ticket: the client makes
// a whole handshake, and proves at least once an hour that it has its private key. There is no key before the one in
// force, on purpose: a ticket renewed under it would stretch that hour without end. Any thread.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <tls-mutual/key_file.hpp>

namespace postern::tls_mutual {

class TicketKeys {
public:
    using Instant = std::chrono::steady_clock::time_point;
    static constexpr std::chrono::seconds life{3600};
    static constexpr std::size_t most = 1000;  // scopes are connectors, generations and certificates: no stranger's

    // Null where the library has no randomness to give.
    std::shared_ptr<const Secret> key(const std::string& scope, Instant now);
    // What is past its life goes, also where nobody connects any more.
    void sweep(Instant now);
    std::size_t size() const;

private:
    struct Entry {
        std::shared_ptr<const Secret> key;
        Instant until;
    };
    mutable std::mutex mutex_;
    std::map<std::string, Entry> keys_;
};

}  // namespace postern::tls_mutual
