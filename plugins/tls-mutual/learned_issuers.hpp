// Issuers that a chain came without and that were fetched, once they stood on a valid path: a few of each trust scope,
// in memory, and in a folder of the daemon's own, so that they serve the partner's mail to us after a restart too.
//
// Nothing in here is trusted: it is what a path is searched among, like what a peer sends. It knows no network.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <x509/certificate_index.hpp>

namespace postern::tls_mutual {

// Bounded. Any thread.
class LearnedIssuers {
public:
    static constexpr std::size_t most_of_scope = 50, most_scopes = 10000;
    static constexpr std::size_t most_octets = 64u << 20;  // of all together
    using Tell = std::function<void(const std::string& problem)>;

    std::vector<x509::Certificate> of(const std::string& scope) const;
    // True where it is new; write() then has something to do.
    bool keep(const std::string& scope, const x509::Certificate& certificate);
    // Changes with each that is new.
    std::uint64_t epoch() const;

    // Once: what lies in `folder` is known from now on, and what is kept goes there. A file counts whole or not at all;
    // a damaged one is set aside, and its issuers are fetched again when they are missed. What has ended is left out.
    void keep_in(const std::string& folder, Time now, const Tell& tell);
    // Blocks on the disk, so never on the way of a judgement.
    void write(const Tell& tell);

private:
    void read(const std::string& path, Time now, const Tell& tell);

    mutable std::mutex mutex_;
    std::map<std::string, std::vector<x509::Certificate>> by_scope_;
    std::size_t octets_ = 0;
    std::uint64_t epoch_ = 0;
    std::string folder_;             // empty: in memory alone
    std::set<std::string> changed_;  // scopes whose file is behind
    std::mutex writing_;
};

}  // namespace postern::tls_mutual
