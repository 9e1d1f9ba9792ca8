// Servers that do not answer, left alone for a while: of one CA's fifty lists on a dead server one costs a time-out,
// not each. Knows no list; bounded; any thread.
#pragma once

#include <map>
#include <mutex>
#include <postern/types.hpp>

namespace postern::crl {

inline constexpr std::chrono::minutes longest_backoff{30};
// Doubles with each failure that went before.
Milliseconds pause_after(unsigned failures, Milliseconds backoff);

// "http://crl.example.net:8080" of "HTTP://crl.example.net:8080/ca.crl"; "ldap://" where the URL names no host.
std::string server_of(std::string_view url);

class Servers {
public:
    static constexpr std::size_t most = 10000;

    // When somebody may ask there again, where that is not now.
    std::optional<Time> rests_until(const std::string& server, Time now) const;
    // Nothing where it answered within `backoff`: then one of its lists hangs, and the server does not.
    void silent(const std::string& server, Milliseconds backoff, Time now);
    void answered(const std::string& server, Time now);

private:
    struct Known {
        unsigned failures = 0;
        Time rests_until{}, answered{};
    };
    Known& known(const std::string& server);  // wants mutex_

    mutable std::mutex mutex_;
    std::map<std::string, Known> known_;
};

}  // namespace postern::crl
