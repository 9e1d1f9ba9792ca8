// What is known of lists: one slot a URL (the list, how fresh, what failed), and the lists from files. A list enters a
// slot only with a verified signature and never replaces a newer one of the same key. Bounded; any thread.
#pragma once

#include <crl/disk_cache.hpp>
#include <crl/known_list.hpp>
#include <map>
#include <postern/host.hpp>
#include <unordered_map>

namespace postern::crl {

struct Slot {
    std::string url;
    KnownListRef list;  // null: never had
    // DER of the certificates whose signature it may bear; the one that vouches for `list` comes first.
    std::vector<Bytes> issuers;
    // Lists by other keys that this URL served before its CA renewed its key, until they end.
    std::vector<KnownListRef> former;
    std::string etag, last_modified;
    Time fetched{}, due{};  // due: fetch again, ahead of nextUpdate
    Time not_before{};      // nobody asks again before: back-off, and a breath after each answer
    unsigned failures = 0;
    std::string last_error;
    std::vector<std::string> signer_urls;  // of a list that was not believed: where its signer's certificate may be
    Time used{};                           // when the slot was made; the lists know when they were asked
};

// When somebody last asked what stands on it, as far as this process knows.
Time last_use(const Slot& slot);
// What nobody asks for that long is not refreshed, and forgotten once it ended: a partner that left.
inline constexpr std::chrono::hours longest_unused{30 * 24};

class ListStore {
public:
    explicit ListStore(Host& host) : host_(host), disk_(host.state_folder()) {}

    void limit(std::uint64_t octets);
    // The lists on disk, verified again. Once, before the first question.
    void load();
    void replace_files(std::vector<KnownListRef> lists);

    // Those under the issuer's name (x509::Name::key).
    std::vector<KnownListRef> named(const std::string& issuer) const;
    std::optional<Slot> find(const std::string& url) const;
    std::vector<Slot> slots() const;
    std::string file_of(const std::string& url) const {  // empty where nothing is kept on disk
        return host_.state_folder().empty() ? std::string() : disk_.file_of(url);
    }
    std::vector<KnownListRef> files() const;

    // `issuers`: one of them must have signed it. Empty, or why the list was not taken. `even_older`: an operator's
    // word.
    std::string take(const std::string& url, Bytes der, const std::vector<x509::Certificate>& issuers,
                     const std::string& etag, const std::string& last_modified, bool even_older = false);
    void unchanged(const std::string& url);
    void succeeded(const std::string& url, Milliseconds pause);
    // `issuers`: whose signature was hoped for, so that a later try knows them.
    void failed(const std::string& url, const std::string& error, Milliseconds backoff,
                const std::vector<x509::Certificate>& issuers);
    // It was not asked for: its server rests.
    void put_off(const std::string& url, const std::string& error, Time until,
                 const std::vector<x509::Certificate>& issuers);
    // Lists that ended, and URLs that never gave one, which nobody asked for in a month: a partner that left.
    void forget_unused();
    std::uint64_t epoch() const { return epoch_.load(std::memory_order_acquire); }

private:
    std::string unknown_signer(const std::string& url, const x509::CertificateList& list);
    Slot& slot(const std::string& url);
    void index();
    bool evict(const std::string& keep);
    void drop(std::map<std::string, Slot>::iterator slot);
    void keep(const Slot& slot);
    Time due_after(const x509::CertificateList& list, Time fetched) const;

    Host& host_;
    DiskCache disk_;
    mutable std::mutex mutex_;
    std::map<std::string, Slot> slots_;
    std::vector<KnownListRef> files_;
    std::unordered_map<std::string, std::vector<KnownListRef>> by_issuer_;
    std::uint64_t limit_ = 256u << 20;
    std::atomic<std::uint64_t> epoch_{1};
};

}  // namespace postern::crl
