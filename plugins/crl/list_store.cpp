#include <algorithm>
#include <crl/list_store.hpp>
#include <crl/messages.hpp>
#include <crl/servers.hpp>
#include <crl/verdict.hpp>
#include <random>

namespace postern::crl {

// URLs come from certificates under trusted anchors, yet a slot costs memory: the least used go.
static constexpr std::size_t most_slots = 10000;
static constexpr std::size_t most_issuers = 8, most_former = 3;

static std::uint64_t octets_of(const Slot& slot) {
    const auto one = [](const KnownListRef& list) { return list->list.der().size() + list->list.size() * 16; };
    std::uint64_t octets = slot.list ? one(slot.list) : 0;
    for (const auto& list : slot.former) octets += one(list);
    return octets;
}

Time last_use(const Slot& slot) {
    auto used = slot.used;
    if (slot.list) used = std::max(used, slot.list->touched());
    for (const auto& list : slot.former) used = std::max(used, list->touched());
    return used;
}

static bool goes_before(const Slot& one, const Slot& other) {
    const bool empty = !one.list, other_empty = !other.list;
    return empty != other_empty ? empty : last_use(one) < last_use(other);
}

static bool ended(const KnownListRef& list, Time now) {
    return list->list.next_update && *list->list.next_update < now - clock_skew;
}

// In front where it vouches for the list at hand, behind where it might for the next one.
static void remember(Slot& slot, BytesView issuer, bool in_front) {
    const auto known = std::ranges::find_if(slot.issuers, [&](const Bytes& one) { return x509::equal(one, issuer); });
    if (known != slot.issuers.end()) {
        if (in_front) std::rotate(slot.issuers.begin(), known, known + 1);
        return;
    }
    if (!in_front && slot.issuers.size() >= most_issuers) return;
    slot.issuers.insert(in_front ? slot.issuers.begin() : slot.issuers.end(), Bytes(issuer.begin(), issuer.end()));
    if (slot.issuers.size() > most_issuers) slot.issuers.pop_back();
}

static KnownListRef former_of(const Slot& slot, const x509::Certificate& issuer) {
    for (const auto& list : slot.former)
        if (list->signed_by(issuer, Profile::modern)) return list;
    return nullptr;
}

// A CA that renews its key leaves certificates of the old one behind: their list stays until it ends.
static void put_away(Slot& slot, KnownListRef list, Time now) {
    std::erase_if(slot.former, [&](const KnownListRef& one) { return ended(one, now); });
    if (!ended(list, now)) slot.former.insert(slot.former.begin(), std::move(list));
    if (slot.former.size() > most_former) slot.former.pop_back();
}

void ListStore::limit(std::uint64_t octets) {
    std::lock_guard lock(mutex_);
    limit_ = octets;
    if (evict({})) index();
}

Slot& ListStore::slot(const std::string& url) {
    auto [found, fresh] = slots_.try_emplace(url);
    if (fresh) {
        found->second.url = url;
        found->second.used = host_.now();
    }
    return found->second;
}

void ListStore::index() {
    by_issuer_.clear();
    const auto add = [this](const KnownListRef& list) { by_issuer_[list->list.issuer.key()].push_back(list); };
    std::ranges::for_each(files_, add);
    for (const auto& [url, slot] : slots_) {
        if (slot.list) add(slot.list);
        std::ranges::for_each(slot.former, add);
    }
    epoch_.fetch_add(1, std::memory_order_release);
}

void ListStore::drop(std::map<std::string, Slot>::iterator slot) {
    disk_.remove(slot->first);
    host_.alarm("crl-unreachable", slot->first, {});
    host_.alarm("crl-ending", slot->first, {});
    slots_.erase(slot);
}

// True where a list went: index() then.
bool ListStore::evict(const std::string& keep) {
    std::uint64_t held = 0;
    for (const auto& [url, slot] : slots_) held += octets_of(slot);
    bool lists_went = false;
    while (slots_.size() > most_slots || held > limit_) {
        // URLs that gave nothing make room for others, but free no octets: they never push a list out.
        const bool for_octets = held > limit_;
        auto victim = slots_.end();
        for (auto one = slots_.begin(); one != slots_.end(); ++one)
            if (one->first != keep && !(for_octets && !one->second.list) &&
                (victim == slots_.end() || goes_before(one->second, victim->second)))
                victim = one;
        if (victim == slots_.end()) break;
        held -= octets_of(victim->second);
        lists_went |= victim->second.list != nullptr;
        drop(victim);
    }
    return lists_went;
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
        one.issuers = {std::move(entry.issuer)};
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
    const CacheEntry entry{
        slot.url, slot.etag, slot.last_modified, slot.fetched, slot.issuers.front(), Bytes(der.begin(), der.end())};
    if (const auto failure = disk_.write(entry)) host_.log(Severity::error, messages::crl_cache_failed, failure->text);
}

std::string ListStore::unknown_signer(const std::string& url, const x509::CertificateList& list) {
    constexpr std::size_t most_urls = 3, longest_url = 2048;
    std::lock_guard lock(mutex_);
    auto& hints = slot(url).signer_urls;
    hints.clear();
    for (const auto& one : list.ca_issuer_urls)
        if (hints.size() < most_urls && one.size() <= longest_url) hints.push_back(one);
    return "it is not signed by the issuer of the certificate that names it";
}

std::string ListStore::take(const std::string& url, Bytes der, const std::vector<x509::Certificate>& issuers,
                            const std::string& etag, const std::string& last_modified, bool even_older) {
    auto decoded = x509::CertificateList::read(std::move(der));
    if (!decoded) return decoded.failure.text;
    const auto known = std::make_shared<const KnownList>(std::move(*decoded), url);
    const auto issuer = std::ranges::find_if(
        issuers, [&](const x509::Certificate& one) { return known->signed_by(one, Profile::modern); });
    if (issuer == issuers.end()) return unknown_signer(url, known->list);
    Slot taken;
    {
        std::lock_guard lock(mutex_);
        auto& one = slot(url);
        // Numbers are a key's own: a CA that renews it begins anew.
        const auto before =
            one.list && one.list->signed_by(*issuer, Profile::modern) ? one.list : former_of(one, *issuer);
        if (before && !even_older && older(known->list, before->list))
            return "it is older than the list that is here already";
        if (one.list) known->touch(one.list->touched());  // who asked for the old one asks for this one
        std::erase(one.former, before);
        if (one.list && one.list != before) put_away(one, one.list, host_.now());
        one.list = known;
        one.signer_urls.clear();
        remember(one, issuer->der(), true);
        one.etag = etag;
        one.last_modified = last_modified;
        one.fetched = host_.now();
        one.due = due_after(known->list, one.fetched);
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
}

void ListStore::succeeded(const std::string& url, Milliseconds pause) {
    std::lock_guard lock(mutex_);
    auto& one = slot(url);
    one.failures = 0;
    one.last_error.clear();
    // A list that does not help whoever asked is not fetched again for each who asks.
    one.not_before = host_.now() + std::min<std::chrono::milliseconds>(pause, longest_backoff);
}

void ListStore::failed(const std::string& url, const std::string& error, Milliseconds backoff,
                       const std::vector<x509::Certificate>& issuers) {
    std::lock_guard lock(mutex_);
    auto& one = slot(url);
    one.last_error = error;
    for (const auto& issuer : issuers) remember(one, issuer.der(), false);
    one.not_before = host_.now() + pause_after(one.failures++, backoff);
    if (evict(url)) index();
}

void ListStore::put_off(const std::string& url, const std::string& error, Time until,
                        const std::vector<x509::Certificate>& issuers) {
    std::lock_guard lock(mutex_);
    auto& one = slot(url);
    one.last_error = error;
    for (const auto& issuer : issuers) remember(one, issuer.der(), false);
    one.not_before = std::max(one.not_before, until);
    if (evict(url)) index();
}

void ListStore::forget_unused() {
    std::lock_guard lock(mutex_);
    const auto now = host_.now();
    bool lists_went = false;
    for (auto one = slots_.begin(); one != slots_.end();) {
        const auto next = std::next(one);
        const auto& slot = one->second;
        if ((!slot.list || ended(slot.list, now)) && last_use(slot) + longest_unused < now) {
            lists_went |= slot.list != nullptr;
            drop(one);
        }
        one = next;
    }
    if (lists_went) index();
}

}  // namespace postern::crl
