#include <crl/importing.hpp>
#include <crl/listing.hpp>
#include <crl/verbs.hpp>

namespace postern::crl {
namespace {

// Waits for all flights of one refresh; the last to land gives the answer.
struct Refresh : Counted {
    std::mutex mutex;
    std::size_t left = 0;
    VerbResult result;
    Answer<VerbResult> answer = Answer<VerbResult>::make();

    void landed(const std::string& url, const std::string& error) {
        std::unique_lock lock(mutex);
        result.out += (error.empty() ? "good    " : "failed  ") + url + (error.empty() ? "" : ": " + error) + "\n";
        if (!error.empty()) result.status = 1;
        if (--left > 0) return;
        lock.unlock();
        answer.give(result);
    }
};

}  // namespace

std::vector<VerbSpec> CrlVerbs::verbs() const {
    return {{"crl list", "crl list [--json]", "show the revocation lists at hand, for whom, how fresh, what failed",
             VerbRuns::either},
            {"crl show", "crl show URL [--json]", "show everything that is known of one list", VerbRuns::either},
            {"crl refresh", "crl refresh [URL]", "fetch lists again now, also those that failed lately",
             VerbRuns::in_daemon},
            {"crl import", "crl import FILE [--url URL] [--issuer CERT] [--force]",
             "take a list from a file; --force also an older one than is here", VerbRuns::either}};
}

Pending<VerbResult> CrlVerbs::run(std::vector<std::string> words) {
    constexpr auto usage =
        "usage: crl list [--json] | crl show URL [--json] | crl refresh [URL]\n"
        "       | crl import FILE [--url URL] [--issuer CERT] [--force]\n";
    if (words.size() < 2 || words[0] != "crl") return VerbResult{2, {}, usage};
    if (load_) load_();
    const auto& verb = words[1];
    if (verb == "import" && words.size() > 2) return import(words);
    if (verb == "refresh" && words.size() <= 3) return refresh(words.size() == 3 ? words[2] : std::string());
    const bool json = words.size() > 2 && words.back() == "--json";
    const auto plain = words.size() - (json ? 1 : 0);
    if (verb == "list" && plain == 2) return list(json);
    if (verb == "show" && plain == 3) return show(words[2], json);
    return VerbResult{2, {}, usage};
}

VerbResult CrlVerbs::list(bool json) const {
    const auto slots = store_.slots();
    const auto files = store_.files();
    note_own_certificates(host_, readers_);
    const Listing listing{slots, files, readers_, host_.now()};
    return {0, json ? listing.json() : listing.text(), {}};
}

VerbResult CrlVerbs::show(const std::string& url, bool json) const {
    const auto slot = store_.find(url);
    if (!slot) return {1, {}, url + " is no list that was ever needed; see postern crl list\n"};
    const auto file = store_.file_of(url);
    note_own_certificates(host_, readers_);
    const auto now = host_.now();
    return {0, json ? shown_json(*slot, file, readers_, now) : shown_text(*slot, file, readers_, now), {}};
}

VerbResult CrlVerbs::import(const std::vector<std::string>& words) {
    ImportOrder order;
    for (std::size_t i = 2; i < words.size(); ++i) {
        const bool has_value = i + 1 < words.size();
        if (words[i] == "--force") order.force = true;
        else if (words[i] == "--url" && has_value) order.url = words[++i];
        else if (words[i] == "--issuer" && has_value) order.issuer = words[++i];
        else if (order.file.empty() && !words[i].starts_with('-')) order.file = words[i];
        else return {2, {}, "usage: crl import FILE [--url URL] [--issuer CERT] [--force]\n"};
    }
    return import_lists(store_, flights_, order);
}

Pending<VerbResult> CrlVerbs::refresh(const std::string& only) {
    auto slots = store_.slots();
    if (!only.empty()) std::erase_if(slots, [&](const Slot& slot) { return slot.url != only; });
    if (slots.empty() && !only.empty())
        return VerbResult{1, {}, only + " is no list that was ever needed; see postern crl list\n"};
    if (slots.empty()) return VerbResult{0, "no lists yet: they are fetched when a certificate needs them\n", {}};
    auto refresh = make_ref<Refresh>();
    refresh->left = slots.size();
    for (const auto& slot : slots)
        flights_.fetch(slot.url, {}, true, [this, refresh, url = slot.url](const std::string& error) {
            const auto now = store_.find(url);  // who waits is not told the way; an operator is
            refresh->landed(url, error.empty() || !now || now->last_error.empty() ? error : now->last_error);
        });
    return refresh->answer.pending();
}

}  // namespace postern::crl
