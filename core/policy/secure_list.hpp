// The domains with which mail travels only over mutual TLS: exact entries, and suffixes (".woodgrovebank.com": every
// depth below, not the apex). The exact entry wins, then the longest suffix. Asked with canonical domains only.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace postern::policy {

class SecureList {
public:
    // A canonical domain, or one with a leading dot. False where it stood there already.
    bool add(std::string entry);
    // The entry that lists `domain`, or empty. The view lives as long as the list.
    std::string_view entry_for(std::string_view domain) const;
    bool has(std::string_view entry) const { return entries_.contains(entry); }
    bool empty() const { return entries_.empty(); }
    const std::set<std::string, std::less<>>& entries() const { return entries_; }

private:
    std::set<std::string, std::less<>> entries_;
};

// The domain that an entry is about: "woodgrovebank.com" for both kinds.
std::string_view entry_domain(std::string_view entry);

}  // namespace postern::policy
