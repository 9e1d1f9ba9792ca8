// Fetched lists on disk: a file a URL in the plugin's state folder, head and DER in one, written beside and renamed, so
// that a crash leaves the old one or the new one. Knows nothing of what a list says.
#pragma once

#include <functional>
#include <postern/types.hpp>

namespace postern::crl {

struct CacheEntry {
    std::string url;
    std::string etag, last_modified;  // for conditional requests
    Time fetched{};
    Bytes issuer;  // DER of the certificate that the list was verified with
    Bytes list;    // DER
};

class DiskCache {
public:
    explicit DiskCache(std::string folder) : folder_(std::move(folder)) {}  // empty: nothing is kept

    // The failure names file and cause.
    std::optional<Failure> write(const CacheEntry& entry) const;
    void remove(const std::string& url) const;
    // Each good entry; a damaged file is renamed to NAME.bad and told of.
    void read_all(const std::function<void(CacheEntry)>& good, const std::function<void(std::string)>& bad) const;
    std::string file_of(const std::string& url) const;

private:
    std::string folder_;
};

}  // namespace postern::crl
