#include <algorithm>
#include <app/log_sink.hpp>
#include <app/queue_command.hpp>
#include <boost/json.hpp>
#include <charconv>
#include <mail/address.hpp>
#include <queue/queue_verbs.hpp>

namespace postern::app {

namespace json = boost::json;

const char* const queue_usage =
    "  queue list [WHICH] [--limit N] [--json] | queue destinations [--json]\n"
    "      what waits, the oldest first (100 lines unless told), and where mail is put off\n"
    "  queue show ID [--body] [--json]\n"
    "      envelope, last answers and next attempts; the message itself\n"
    "  queue retry|hold|release|remove|bounce WHICH [--json]\n"
    "      try now; leave alone; let a held one go; drop without a word; give back to the sender\n"
    "      WHICH: ID..., --domain D, --sender ADDRESS|@D|'<>', --reason TEXT, --older 4h, --younger 10m, --held, "
    "--all\n"
    "  trace ID|ADDRESS|MESSAGE-ID [--limit N] [--json]\n"
    "      where a message is, what the last attempts said, and what log_file knows of it\n";

namespace {

constexpr int exit_nothing = 1, exit_wrong_words = 2;

std::string utc(Time time) {
    const auto seconds = std::chrono::system_clock::to_time_t(time);
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    char text[32];
    std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
    return text;
}

struct Words {
    queue::Selection which;
    std::size_t limit = 100;
    bool json = false, body = false;
    std::string fault;
};

// As envelopes have it: whatever the case, and whichever form an internationalised name was typed in.
std::string canonical(const std::string& domain) {
    const auto known = mail::canonical_domain(domain);
    return known ? *known : domain;
}

std::string canonical_address(std::string address) {
    if (address.starts_with('<') && address.ends_with('>')) address = address.substr(1, address.size() - 2);
    const auto at = address.rfind('@');
    return at == std::string::npos ? address : address.substr(0, at + 1) + canonical(address.substr(at + 1));
}

std::string canonical_id(std::string id) {
    for (auto& c : id) c = c >= 'a' && c <= 'f' ? static_cast<char>(c - 32) : c;
    return id;
}

// The value of an option that has one; false: it is none of those.
bool take_value(Words& into, const std::string& option, const std::string& value) {
    if (option == "--domain") into.which.domain = canonical(value);
    else if (option == "--sender") into.which.sender = canonical_address(value);
    else if (option == "--after") into.which.after = value;
    else if (option == "--reason") into.which.reason = value;
    else if (option == "--older" || option == "--younger") {
        auto& age = option == "--older" ? into.which.older : into.which.younger;
        age = queue::parse_age(value);
        if (!age) into.fault = option + " wants an age such as 90s, 15m, 4h or 2d, not " + value;
    } else if (option == "--limit") {
        const auto read = std::from_chars(value.data(), value.data() + value.size(), into.limit);
        if (read.ec != std::errc() || *read.ptr) into.fault = "--limit wants a number, not " + value;
    } else {
        return false;
    }
    return true;
}

Words parse(const std::vector<std::string>& words, std::size_t from) {
    Words parsed;
    for (auto i = from; i < words.size(); ++i) {
        const auto& word = words[i];
        if (word == "--json") parsed.json = true;
        else if (word == "--body") parsed.body = true;
        else if (word == "--held") parsed.which.held = true;
        else if (word == "--all") parsed.which.all = true;
        else if (!word.starts_with("--"))
            parsed.which.ids.push_back(queue::key_of(canonical_id(word)) ? canonical_id(word) : word);
        else if (i + 1 < words.size() && take_value(parsed, word, words[i + 1])) ++i;
        else parsed.fault = "there is no option " + word + (i + 1 < words.size() ? "" : ", or its value is missing");
    }
    return parsed;
}

VerbResult usage(const std::string& fault) {
    return {exit_wrong_words, {}, (fault.empty() ? std::string() : "postern queue: " + fault + "\n") + queue_usage};
}

std::string_view state_of(const queue::ListedMessage& one) {
    return !one.unreadable.empty() ? "unreadable"
           : one.in_flight         ? "delivering"
           : one.message.held      ? "held"
                                   : "waiting";
}

json::object to_json(const queue::ListedMessage& one) {
    const auto& message = one.message;
    json::array recipients;
    for (const auto& to : message.recipients)
        recipients.push_back(json::object{{"address", escaped(to.address)},
                                          {"requirement", to.requirement},
                                          {"held", message.held || to.held},
                                          {"attempts", to.attempts},
                                          {"next_attempt", utc(to.next_attempt)},
                                          {"status", escaped(to.status)},
                                          {"text", escaped(to.text)},
                                          {"notify", to.notify},
                                          {"original_recipient", escaped(to.orcpt)}});
    return {{"id", message.id},
            {"received", utc(message.received)},
            {"sender", escaped(message.sender)},
            {"size", message.size},
            {"connector", message.connector},
            {"session", message.session},
            {"domain_secured", message.domain_secured},
            {"envelope_id", escaped(message.envid)},
            {"state", state_of(one)},
            {"unreadable", escaped(one.unreadable)},
            {"recipients", std::move(recipients)}};
}

std::string to_text(const queue::ListedMessage& one, bool long_form) {
    const auto& message = one.message;
    if (!one.unreadable.empty()) return message.id + "  unreadable\n    " + escaped(one.unreadable) + "\n";
    std::string text = message.id + "  " + utc(message.received) + "  " + std::to_string(message.size) + "  <" +
                       escaped(message.sender) + ">  " + std::string(state_of(one)) + "\n";
    if (long_form)
        text += "    received by " + message.connector + " in session " + message.session +
                (message.domain_secured ? ", domain-secured" : "") + "\n";
    for (const auto& to : message.recipients) {
        text += "    to <" + escaped(to.address) + ">";
        if (!to.requirement.empty()) text += " " + to.requirement;
        text += ", " + std::to_string(to.attempts) + " attempts";
        text += message.held || to.held ? ", held" : ", next " + utc(to.next_attempt);
        if (!to.text.empty()) text += "\n        " + to.status + " " + escaped(to.text);
        text += "\n";
    }
    return text;
}

// What cannot be read now may wait all the same: nobody is told that there is nothing.
VerbResult told_unread(VerbResult result, const Result<void>& read) {
    if (read) return result;
    result.status = exit_nothing;
    if (result.err.starts_with("nothing ")) result.err.clear();
    result.err += "not all that waits can be read now: " + read.error().text + "\n";
    return result;
}

VerbResult list(queue::QueueVerbs& verbs, const Words& words, bool long_form) {
    json::array all;
    std::string text;
    std::size_t count = 0;
    const auto read = verbs.list(words.which, [&](const queue::ListedMessage& one) {
        if (++count > words.limit) return false;
        if (words.json) all.push_back(to_json(one));
        else text += to_text(one, long_form);
        return true;
    });
    const std::string more = count > words.limit ? "and more: --limit N shows them\n" : "";
    if (words.json) return told_unread({count ? 0 : exit_nothing, json::serialize(all) + "\n", more}, read);
    return told_unread({count ? 0 : exit_nothing, std::move(text), count ? more : "nothing of that kind waits\n"},
                       read);
}

VerbResult destinations(const queue::QueueVerbs& verbs, const Words& words) {
    json::array all;
    std::string text;
    for (const auto& one : verbs.destinations()) {
        if (words.json) {
            all.push_back(
                json::object{{"route", one.destination.route},
                             {"domain", one.destination.domain},
                             {"requirement", one.destination.requirement},
                             {"waiting", one.waiting},
                             {"delivering", one.in_flight},
                             {"put_off_until", one.put_off_until ? json::value(utc(*one.put_off_until)) : nullptr},
                             {"why", one.why}});
            continue;
        }
        text += one.destination.domain + "  " + one.destination.route + "  " + std::to_string(one.waiting) +
                " waiting, " + std::to_string(one.in_flight) + " being delivered\n";
        if (one.put_off_until) text += "    put off until " + utc(*one.put_off_until) + ": " + escaped(one.why) + "\n";
    }
    return {0, words.json ? json::serialize(all) + "\n" : text, {}};
}

VerbResult body(queue::Spool& spool, const std::string& id) {
    auto source = spool.open(id);
    if (!source) return {exit_nothing, {}, source.error().text + "\n"};
    const auto size = (*source)->size();
    constexpr std::uint64_t most = 1u << 20;
    std::string octets(size ? static_cast<std::size_t>(std::min(*size, most)) : 0, '\0');
    const auto count = (*source)->read_at(0, {reinterpret_cast<std::uint8_t*>(octets.data()), octets.size()});
    if (!count) return {exit_nothing, {}, count.failure.text + "\n"};
    octets.resize(*count);
    // It goes to a terminal: what is no text is shown, not sent.
    std::string text;
    for (std::size_t at = 0; at < octets.size();) {
        const auto end = std::min(octets.find('\n', at), octets.size());
        auto line = octets.substr(at, end - at);
        if (line.ends_with('\r')) line.pop_back();
        text += escaped(line) + "\n";
        at = end + 1;
    }
    return {0, text, size && *size > most ? "(the first MiB)\n" : ""};
}

VerbResult act(queue::QueueVerbs& verbs, queue::QueueVerb verb, const std::string& done_word, const Words& words) {
    if (words.which.empty()) return usage("say which: an id, --domain, --sender, --reason, --older, --held or --all");
    json::array all;
    VerbResult result;
    std::size_t done = 0, seen = 0;
    const auto read = verbs.act(verb, words.which, [&](const std::string& id, const std::string& not_done) {
        ++seen;
        done += not_done.empty();
        if (words.json) all.push_back(json::object{{"id", id}, {"done", not_done.empty()}, {"why_not", not_done}});
        else if (not_done.empty()) result.out += id + " " + done_word + "\n";
        else result.err += id + " " + not_done + "\n";
    });
    if (words.json) result.out = json::serialize(all) + "\n";
    else if (seen == 0) result.err = "nothing of that kind waits\n";
    result.status = seen > 0 && done == seen ? 0 : exit_nothing;
    return told_unread(std::move(result), read);
}

// The lines of a message, by its id, also those of what its notice is about; by an address or a Message-ID those that
// name it, and all of the messages whose Message-ID it is.
std::vector<std::string> told_of(const std::string& log_file, const std::string& wanted, bool is_id, std::size_t most) {
    if (is_id) return lines_with(log_file, wanted, most);
    auto found = lines_with(log_file, "=<" + wanted + ">", most);
    std::vector<std::string> ids;
    for (const auto& line : found)
        if (const auto at = line.find(" id=");
            at != std::string::npos && line.find("message-id=<" + wanted) < line.size())
            ids.push_back(line.substr(at + 1, line.find(' ', at + 1) - at - 1));
    if (ids.empty()) return found;
    found.clear();
    for (const auto& id : ids)
        for (auto& line : lines_with(log_file, id, most)) found.push_back(std::move(line));
    return found;
}

// What waits of it, and what the log says of it, also where it is long gone.
VerbResult trace(queue::QueueVerbs& verbs, const std::string& log_file, const std::vector<std::string>& words) {
    auto parsed = parse(words, 1);
    if (!parsed.fault.empty() || parsed.which.ids.size() != 1) return usage(parsed.fault);
    const bool is_id = queue::key_of(parsed.which.ids.front()).has_value();
    const auto wanted = is_id ? parsed.which.ids.front() : canonical_address(parsed.which.ids.front());
    if (!is_id) parsed.which.ids.clear();
    json::array waiting, lines;
    std::string text;
    const auto read = verbs.list(parsed.which, [&](const queue::ListedMessage& one) {
        const bool named = is_id || one.message.sender == wanted ||
                           std::ranges::find(one.message.recipients, wanted, &queue::QueuedRecipient::address) !=
                               one.message.recipients.end();
        if (!named) return true;
        waiting.push_back(to_json(one));
        text += to_text(one, true);
        return waiting.size() < parsed.limit;
    });
    const auto said = log_file.empty() ? std::vector<std::string>() : told_of(log_file, wanted, is_id, parsed.limit);
    for (const auto& line : said) {
        lines.emplace_back(escaped(line));
        text += escaped(line) + "\n";
    }
    const bool found = !waiting.empty() || !lines.empty();
    if (parsed.json) text = json::serialize(json::object{{"waiting", waiting}, {"log", lines}}) + "\n";
    std::string none = is_id ? wanted + " does not wait" : "nothing from or to " + wanted + " waits";
    none += log_file.empty() ? "; what is gone stands in the log alone: set log_file, and trace finds it there\n"
                             : ", and " + log_file + " says nothing of it\n";
    return told_unread({found ? 0 : exit_nothing, text, found ? "" : none}, read);
}

}  // namespace

VerbResult queue_command(queue::Queue& queue, queue::Spool& spool, const std::string& log_file,
                         const std::vector<std::string>& words) {
    queue::QueueVerbs verbs(queue);
    if (words.front() == "trace") return trace(verbs, log_file, words);
    if (words.size() < 2) return usage({});
    const auto& verb = words[1];
    auto parsed = parse(words, 2);
    if (!parsed.fault.empty()) return usage(parsed.fault);
    if (verb == "list") return list(verbs, parsed, false);
    if (verb == "destinations") return destinations(verbs, parsed);
    if (verb == "show") {
        if (parsed.which.ids.size() != 1) return usage("show wants one id");
        auto shown = list(verbs, parsed, true);
        if (shown.status == 0 && parsed.body) {
            auto octets = body(spool, parsed.which.ids.front());
            octets.out = shown.out + "\n" + octets.out;
            return octets;
        }
        return shown;
    }
    if (verb == "retry") return act(verbs, queue::QueueVerb::retry, "is due now", parsed);
    if (verb == "hold") return act(verbs, queue::QueueVerb::hold, "is held", parsed);
    if (verb == "release") return act(verbs, queue::QueueVerb::release, "is due again", parsed);
    if (verb == "remove") return act(verbs, queue::QueueVerb::remove, "is removed", parsed);
    if (verb == "bounce") return act(verbs, queue::QueueVerb::bounce, "goes back to its sender", parsed);
    return usage("there is no queue " + verb);
}

}  // namespace postern::app
