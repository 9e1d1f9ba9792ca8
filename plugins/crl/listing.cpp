#include <crl/json.hpp>
#include <crl/listing.hpp>
#include <crl/verdict.hpp>

namespace postern::crl {
namespace {

std::string number_text(const x509::CertificateList& list) {
    return list.number ? x509::hex(*list.number, true) : std::string("none");
}
std::string next_text(const x509::CertificateList& list) {
    return list.next_update ? date(*list.next_update) : std::string("none");
}
std::string when(Time time) { return time == Time{} ? std::string("never") : date(time); }

std::string state_of(const KnownListRef& list, Time now) {
    if (!list) return "missing";
    return list->list.next_update && *list->list.next_update < now ? "stale" : "good";
}

std::vector<std::string> subjects_of(const Slot& slot) {
    std::vector<std::string> subjects;
    for (const auto& der : slot.issuers)
        if (const auto issuer = x509::Certificate::read(der)) {
            const auto& subject = issuer->subject.text();
            if (std::find(subjects.begin(), subjects.end(), subject) == subjects.end()) subjects.push_back(subject);
        }
    return subjects;
}

// Whose certificates it tells of, although it may never have been had.
std::string for_whom(const Slot& slot) {
    std::string text;
    for (const auto& subject : subjects_of(slot)) text += (text.empty() ? "" : "; ") + subject;
    return text.empty() ? "(unknown)" : text;
}

std::string scope_of(const x509::CertificateList& list) {
    std::string text = list.base_number ? "delta" : "complete";
    const auto& point = list.distribution_point;
    if (!point) return text;
    if (point->only_user) text += ", end entities only";
    if (point->only_ca) text += ", CAs only";
    if (point->only_attribute) text += ", attribute certificates only";
    if (point->indirect) text += ", indirect";
    if (point->only_reasons) text += ", some reasons only";
    if (point->name)
        for (const auto& name : point->name->full)
            if (name.kind == x509::NameKind::uri) text += ", for " + name.value;
    return text;
}

// Shown in text; all of them stand in the JSON.
constexpr std::size_t most_shown = 20;

std::vector<std::string> needed_for(const Readers& readers, const std::string& list) {
    std::vector<std::string> lines;
    const auto all = readers.of(list);
    for (const auto& one : all) {
        if (lines.size() == most_shown) {
            lines.push_back(std::to_string(all.size() - most_shown) + " others (--json names them)");
            break;
        }
        lines.push_back(one.text());
    }
    if (lines.empty()) lines.emplace_back("nobody that was seen lately");
    return lines;
}

std::string needed_json(const Readers& readers, const std::string& list) {
    std::vector<std::string> rows;
    for (const auto& one : readers.of(list))
        rows.push_back(JsonObject().text("partner", one.partner).text("connector", one.connector).written());
    return json_array(rows, ", ");
}

JsonObject list_json(const std::string& where, const KnownListRef& list, const Readers& readers, Time now) {
    JsonObject object;
    object.text("list", where).text("state", state_of(list, now)).raw("needed_for", needed_json(readers, where));
    if (!list) return object;
    return object.text("issuer", list->list.issuer.text())
        .text("number", number_text(list->list))
        .text("this_update", date(list->list.this_update))
        .text("next_update", next_text(list->list))
        .number("entries", list->list.size());
}

JsonObject slot_json(const Slot& slot, const Readers& readers, Time now) {
    std::vector<std::string> subjects;
    for (const auto& subject : subjects_of(slot)) subjects.push_back(quoted(subject));
    auto object = list_json(slot.url, slot.list, readers, now);
    return object.raw("for", json_array(subjects, ", "))
        .text("fetched", slot.list ? when(slot.fetched) : "never")
        .text("due", slot.list ? when(slot.due) : "when needed")
        .text("error", slot.last_error);
}

std::string needed_text(const Readers& readers, const std::string& list) {
    std::string text;
    for (const auto& line : needed_for(readers, list)) text += "      needed for " + line + "\n";
    return text;
}

std::string slot_text(const Slot& slot, const Readers& readers, Time now) {
    auto text = state_of(slot.list, now) + "  " + slot.url + "\n      for certificates of " + for_whom(slot) + "\n" +
                needed_text(readers, slot.url);
    if (slot.list)
        text += "      issuer " + slot.list->list.issuer.text() + ", number " + number_text(slot.list->list) + ", " +
                std::to_string(slot.list->list.size()) + " entries\n      from " + date(slot.list->list.this_update) +
                ", ends " + next_text(slot.list->list) + "; fetched " + when(slot.fetched) + ", again " +
                when(slot.due) + "\n";
    if (!slot.last_error.empty())
        text += "      last error: " + slot.last_error + "; next try not before " + when(slot.not_before) + "\n";
    return text;
}

}  // namespace

std::string described(const x509::CertificateList& list) {
    return "number " + number_text(list) + " of " + list.issuer.text() + ", " + std::to_string(list.size()) +
           " entries, from " + date(list.this_update) + ", ends " + next_text(list);
}

std::string Listing::text() const {
    if (slots.empty() && files.empty()) return "no lists yet: they are fetched when a certificate needs them\n";
    std::string all;
    for (const auto& slot : slots) all += slot_text(slot, readers, now);
    for (const auto& file : files)
        all += state_of(file, now) + "  " + file->source() + " (file)\n" + needed_text(readers, file->source()) +
               "      " + described(file->list) + "\n";
    return all;
}

std::string Listing::json() const {
    std::vector<std::string> rows;
    for (const auto& slot : slots) rows.push_back(slot_json(slot, readers, now).written());
    for (const auto& file : files) rows.push_back(list_json(file->source(), file, readers, now).written());
    return json_array(rows) + "\n";
}

std::string shown_text(const Slot& slot, const std::string& file, const Readers& readers, Time now) {
    std::string text;
    const auto row = [&text](std::string_view name, const std::string& value) {
        text += std::string(name) + std::string(14 - name.size(), ' ') + value + "\n";
    };
    row("list", slot.url);
    row("state", state_of(slot.list, now));
    row("for", "certificates of " + for_whom(slot));
    for (const auto& line : needed_for(readers, slot.url)) row("needed for", line);
    if (slot.list) {
        const auto& list = slot.list->list;
        row("issuer", list.issuer.text());
        row("number",
            number_text(list) + (list.base_number ? ", on top of " + x509::hex(*list.base_number, true) : ""));
        row("scope", scope_of(list));
        row("entries", std::to_string(list.size()) + " in " + std::to_string(list.der().size()) + " octets");
        row("from", date(list.this_update));
        row("ends", next_text(list));
        row("fetched", when(slot.fetched));
        row("fetched again",
            when(slot.due) + (slot.etag.empty() && slot.last_modified.empty() ? "" : ", if it changed"));
        row("last needed", when(slot.list->touched()));
        if (!file.empty()) row("kept in", file);
    }
    for (const auto& former : slot.former) row("other key", described(former->list));
    if (slot.last_error.empty()) return text;
    row("failures", std::to_string(slot.failures) + " since the last success");
    row("last error", slot.last_error);
    row("next try", "not before " + when(slot.not_before) + " (postern crl refresh " + slot.url + " tries at once)");
    return text;
}

std::string shown_json(const Slot& slot, const std::string& file, const Readers& readers, Time now) {
    auto object = slot_json(slot, readers, now);
    if (slot.list)
        object.text("scope", scope_of(slot.list->list))
            .number("octets", slot.list->list.der().size())
            .text("last_needed", when(slot.list->touched()))
            .text("etag", slot.etag)
            .text("last_modified", slot.last_modified)
            .text("file", file);
    return object.number("failures", slot.failures).text("not_before", when(slot.not_before)).written() + "\n";
}

}  // namespace postern::crl
