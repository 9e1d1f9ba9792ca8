#include <algorithm>
#include <crl/list_store.hpp>
#include <crl/messages.hpp>
#include <crl/verdict.hpp>
#include <random>

namespace postern::crl {

// URLs come from certificates under trusted anchors, yet a slot costs memory: the least used go.
static constexpr std::size_t most_slots = 10000;
static constexpr std::chrono::minutes longest_backoff{30};

void ListStore::limit(std::uint64_t octets) {
    std::lock_guard lock(mutex_);
    limit_ = octets;
}

Slot& ListStore::slot(const std::string& url) {
    auto [found, fresh] = slots_.try_emplace(url);
    if (fresh) found->second.url = url;
    found->second.used = host_.now();
    return found->second;
}

void ListStore::index() {
    by_issuer_.clear();
    for (const auto& list : files_) by_issuer_[list->list.issuer.key()].push_back(list);
    for (const auto& [url, slot] : slots_)
        if (slot.list) by_issuer_[slot.list->list.issuer.key()].push_back(slot.list);
    epoch_.fetch_add(1, std::memory_order_release);
}

void ListStore::evict(const std::string& keep) {
    const auto held = [this] {
        std::uint64_t octets = 0;
        for (const auto& [url, slot] : slots_)
            if (slot.list) octets += slot.list->list.der().size() + slot.list->list.size() * 16;
        return octets;
    };
    while (slots_.size() > 1 && (slots_.size() > most_slots || held() > limit_)) {
        auto oldest = slots_.end();
        for (auto one = slots_.begin(); one != slots_.end(); ++one)
            if (one->first != keep && (oldest == slots_.end() || one->second.used < oldest->second.used)) oldest = one;
        if (oldest == slots_.end()) return;
        disk_.remove(oldest->first);
        slots_.erase(oldest);
    }
}

// Somewhere in the last quarter of its life, so that not all servers that hold it ask in one moment.
Time ListStore::due_after(const x509::CertificateList& list, Time fetched) const {
    if (!list.next_update) return fetched + without_next_update;
    static thread_local std::minstd_rand random{std::random_device{}()};
    const auto life = *list.next_update - fetched;
    const auto part = std::uniform_real_distribution<double>(0.75, 0.9)(random);
    return fetched + std::chrono::duration_cast<Time::duration>(life * part);
}

void ListStore::load() {
    const auto bad = [this](const std::string& text) {
        host_.log(Severity::warning, messages::crl_cache_damaged, text);
    };
    const auto good = [&](CacheEntry entry) {
        auto issuer = x509::Certificate::read(entry.issuer);
        auto list = x509::CertificateList::read(std::move(entry.list));
        if (!issuer || !list) return bad(disk_.file_of(entry.url) + " does not decode; the list is fetched again");
        const auto known = std::make_shared<const KnownList>(std::move(*list), entry.url);
        if (!known->signed_by(*issuer, Profile::modern))
            return bad(disk_.file_of(entry.url) + " is not signed by its issuer; the list is fetched again");
        std::lock_guard lock(mutex_);
        auto& one = slot(entry.url);
        one.list = known;
        one.issuer = std::move(entry.issuer);
        one.etag = entry.etag;
        one.last_modified = entry.last_modified;
        one.fetched = entry.fetched;
        one.due = due_after(known->list, entry.fetched);
    };
    disk_.read_all(good, bad);
    std::lock_guard lock(mutex_);
    evict({});
    index();
}

void ListStore::replace_files(std::vector<KnownListRef> lists) {
    std::lock_guard lock(mutex_);
    files_ = std::move(lists);
    index();
}

std::vector<KnownListRef> ListStore::named(const std::string& issuer) const {
    std::lock_guard lock(mutex_);
    const auto found = by_issuer_.find(issuer);
    return found == by_issuer_.end() ? std::vector<KnownListRef>() : found->second;
}

std::optional<Slot> ListStore::find(const std::string& url) const {
    std::lock_guard lock(mutex_);
    const auto found = slots_.find(url);
    return found == slots_.end() ? std::nullopt : std::optional<Slot>(found->second);
}

std::vector<Slot> ListStore::slots() const {
    std::lock_guard lock(mutex_);
    std::vector<Slot> all;
    for (const auto& [url, slot] : slots_) all.push_back(slot);
    return all;
}

std::vector<KnownListRef> ListStore::files() const {
    std::lock_guard lock(mutex_);
    return files_;
}

void ListStore::keep(const Slot& slot) {
    const auto der = slot.list->list.der();
    const CacheEntry entry{slot.url,     slot.etag,   slot.last_modified,
                           slot.fetched, slot.issuer, Bytes(der.begin(), der.end())};
    if (const auto failure = disk_.write(entry)) host_.log(Severity::error, messages::crl_cache_failed, failure->text);
}

std::string ListStore::take(const std::string& url, Bytes der, const std::vector<x509::Certificate>& issuers,
                            const std::string& etag, const std::string& last_modified) {
    auto decoded = x509::CertificateList::read(std::move(der));
    if (!decoded) return decoded.failure.text;
    const auto known = std::make_shared<const KnownList>(std::move(*decoded), url);
    const auto issuer = std::ranges::find_if(
        issuers, [&](const x509::Certificate& one) { return known->signed_by(one, Profile::modern); });
    if (issuer == issuers.end()) return "it is not signed by the issuer of the certificate that names it";
    Slot taken;
    {
        std::lock_guard lock(mutex_);
        auto& one = slot(url);
        if (one.list && older(known->list, one.list->list)) return "it is older than the list that is here already";
        one.list = known;
        one.issuer.assign(issuer->der().begin(), issuer->der().end());
        one.etag = etag;
        one.last_modified = last_modified;
        one.fetched = host_.now();
        one.due = due_after(known->list, one.fetched);
        one.failures = 0;
        one.not_before = {};
        one.last_error.clear();
        evict(url);
        index();
        taken = one;
    }
    keep(taken);
    return {};
}

void ListStore::unchanged(const std::string& url) {
    std::lock_guard lock(mutex_);
    auto& one = slot(url);
    one.fetched = host_.now();
    if (one.list) one.due = std::max(due_after(one.list->list, one.fetched), one.fetched + std::chrono::minutes(1));
    one.failures = 0;
    one.not_before = {};
    one.last_error.clear();
}

void ListStore::failed(const std::string& url, const std::string& error, Milliseconds backoff, BytesView issuer) {
    std::lock_guard lock(mutex_);
    auto& one = slot(url);
    one.last_error = error;
    if (one.issuer.empty()) one.issuer.assign(issuer.begin(), issuer.end());
    const auto pause =
        std::min<std::chrono::milliseconds>(backoff * (1u << std::min(one.failures, 16u)), longest_backoff);
    ++one.failures;
    one.not_before = host_.now() + pause;
    evict(url);
}

}  // namespace postern::crl
