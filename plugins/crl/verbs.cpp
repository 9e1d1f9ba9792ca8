#include <algorithm>
#include <crl/verbs.hpp>
#include <crl/verdict.hpp>

namespace postern::crl {
namespace {

// One line of `crl list`, as text or as JSON.
struct Row {
    std::string where, state, issuer, number, this_update, next_update, fetched, error;
    std::size_t entries = 0;
};

std::string number_text(const x509::CertificateList& list) {
    return list.number ? x509::hex(*list.number, true) : std::string("none");
}

void describe(const KnownList& known, Time now, Row& row) {
    row.issuer = known.list.issuer.text();
    row.number = number_text(known.list);
    row.this_update = date(known.list.this_update);
    row.next_update = known.list.next_update ? date(*known.list.next_update) : "none";
    row.entries = known.list.size();
    row.state = known.list.next_update && *known.list.next_update < now ? "stale" : "good";
}

std::string quoted(std::string_view text) {
    std::string out = "\"";
    for (const unsigned char c : text) {
        if (c == '"' || c == '\\') (out += '\\') += static_cast<char>(c);
        else if (c < 32 || c == 127) {
            constexpr char digits[] = "0123456789abcdef";
            ((out += "\\u00") += digits[c >> 4]) += digits[c & 15];
        } else out += static_cast<char>(c);
    }
    return out + "\"";
}

std::string as_json(const std::vector<Row>& rows) {
    std::string text = "[";
    for (const auto& row : rows) {
        text += text.size() > 1 ? ",\n " : "";
        text += "{\"list\": " + quoted(row.where) + ", \"state\": " + quoted(row.state) +
                ", \"issuer\": " + quoted(row.issuer) + ", \"number\": " + quoted(row.number) +
                ", \"this_update\": " + quoted(row.this_update) + ", \"next_update\": " + quoted(row.next_update) +
                ", \"entries\": " + std::to_string(row.entries) + ", \"fetched\": " + quoted(row.fetched) +
                ", \"error\": " + quoted(row.error) + "}";
    }
    return text + "]\n";
}

std::string as_text(const std::vector<Row>& rows) {
    if (rows.empty()) return "no lists yet: they are fetched when a certificate needs them\n";
    std::string text;
    for (const auto& row : rows) {
        text += row.state + "  " + row.where + "\n";
        if (!row.issuer.empty())
            text += "      issuer " + row.issuer + ", number " + row.number + ", " + std::to_string(row.entries) +
                    " entries\n      from " + row.this_update + ", next " + row.next_update +
                    (row.fetched.empty() ? "" : ", fetched " + row.fetched) + "\n";
        if (!row.error.empty()) text += "      last error: " + row.error + "\n";
    }
    return text;
}

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
    return {{"crl list", "crl list [--json]", "show the revocation lists at hand, how fresh, what failed",
             VerbRuns::in_daemon},
            {"crl refresh", "crl refresh [URL]", "fetch lists again now, also those that failed lately",
             VerbRuns::in_daemon}};
}

Pending<VerbResult> CrlVerbs::run(std::vector<std::string> words) {
    const bool crl = words.size() >= 2 && words[0] == "crl";
    if (crl && words[1] == "list" && words.size() == 2) return list(false);
    if (crl && words[1] == "list" && words.size() == 3 && words[2] == "--json") return list(true);
    if (crl && words[1] == "refresh" && words.size() <= 3) return refresh(words.size() == 3 ? words[2] : std::string());
    return VerbResult{2, {}, "usage: crl list [--json] | crl refresh [URL]\n"};
}

VerbResult CrlVerbs::list(bool json) const {
    std::vector<Row> rows;
    const auto now = host_.now();
    for (const auto& slot : store_.slots()) {
        Row row;
        row.where = slot.url;
        row.state = "missing";
        row.error = slot.last_error;
        if (slot.list) {
            describe(*slot.list, now, row);
            row.fetched = date(slot.fetched);
        }
        rows.push_back(std::move(row));
    }
    for (const auto& file : store_.files()) {
        Row row;
        row.where = file->source();
        describe(*file, now, row);
        rows.push_back(std::move(row));
    }
    return {0, json ? as_json(rows) : as_text(rows), {}};
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
        flights_.fetch(slot.url, {}, true,
                       [refresh, url = slot.url](const std::string& error) { refresh->landed(url, error); });
    return refresh->answer.pending();
}

}  // namespace postern::crl
