#include <charconv>
#include <cstdio>
#include <queue/envelope_text.hpp>

namespace postern::queue {

namespace {

constexpr std::string_view first_line = "postern-envelope 1";

// FNV-1a: against torn writes and stray files, not against an attacker who can write the spool.
std::uint64_t checksum(std::string_view text) {
    std::uint64_t hash = 0xcbf29ce484222325u;
    for (unsigned char c : text) hash = (hash ^ c) * 0x100000001b3u;
    return hash;
}

std::string escaped(std::string_view text) {
    static constexpr char hex[] = "0123456789abcdef";
    std::string safe;
    for (unsigned char c : text) {
        if (c > 32 && c < 127 && c != '%') safe += static_cast<char>(c);
        else (safe += '%') += {hex[c >> 4], hex[c & 15]};
    }
    return safe;
}

std::string unescaped(std::string_view text) {
    std::string plain;
    for (std::size_t i = 0; i < text.size(); ++i) {
        unsigned value = 0;
        if (text[i] == '%' && i + 2 < text.size() &&
            std::from_chars(&text[i + 1], &text[i + 3], value, 16).ptr == &text[i + 3]) {
            plain += static_cast<char>(value);
            i += 2;
        } else {
            plain += text[i];
        }
    }
    return plain;
}

long long seconds(Time time) {
    return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
}

class Words {
public:
    explicit Words(std::string_view line) : rest_(line) {}
    std::string text() {
        const auto word = rest_.substr(0, rest_.find(' '));
        rest_.remove_prefix(std::min(rest_.size(), word.size() + 1));
        return unescaped(word);
    }
    long long number() {
        const auto word = text();
        long long value = 0;
        good_ &= std::from_chars(word.data(), word.data() + word.size(), value).ec == std::errc();
        return value;
    }
    Time time() { return Time(std::chrono::seconds(number())); }
    bool good() const { return good_; }

private:
    std::string_view rest_;
    bool good_ = true;
};

}  // namespace

static std::string route_and_wishes(const QueuedRecipient& one) {
    const bool wishes = !one.notify.empty() || !one.orcpt.empty() || one.hold_late_reject || one.held;
    if (!wishes) return one.route.empty() ? "" : " " + escaped(one.route);
    return " " + escaped(one.route) + " " + escaped(one.notify) + " " + escaped(one.orcpt) + " " +
           std::to_string(one.hold_late_reject) + " " + std::to_string(one.held);
}

std::string to_text(const QueuedMessage& message) {
    std::string text(first_line);
    text += "\nid " + escaped(message.id) + "\nreceived " + std::to_string(seconds(message.received));
    text += "\nsender " + escaped(message.sender) + "\nconnector " + escaped(message.connector) + "\nsession " +
            escaped(message.session);
    text += "\nsize " + std::to_string(message.size) + "\nflags " + std::to_string(message.eight_bit) + " " +
            std::to_string(message.domain_secured) + " " + std::to_string(message.held);
    // Since 0.3; left out where nothing of it was asked.
    if (message.eight_bit_header || message.binary || message.smtputf8 || message.known_sender)
        text += "\nbody " + std::to_string(message.eight_bit_header) + " " + std::to_string(message.binary) + " " +
                std::to_string(message.smtputf8) + " " + std::to_string(message.known_sender);
    if (!message.ret.empty() || !message.envid.empty())
        text += "\nnotices " + escaped(message.ret) + " " + escaped(message.envid);
    for (const auto& one : message.recipients) {
        text += "\nrecipient " + escaped(one.address) + " " + escaped(one.domain) + " " + escaped(one.requirement) +
                " " + std::to_string(one.attempts) + " " + std::to_string(seconds(one.next_attempt)) + " " +
                std::to_string(one.clear_next) + " " + std::to_string(one.delay_notified) + " " + escaped(one.status) +
                " " + escaped(one.text) + route_and_wishes(one);
    }
    char sum[32];
    std::snprintf(sum, sizeof sum, "\nsum %016llx\n", static_cast<unsigned long long>(checksum(text)));
    return text + sum;
}

static bool parse_line(std::string_view line, QueuedMessage& message) {
    const auto key = line.substr(0, line.find(' '));
    Words words(line.substr(std::min(line.size(), key.size() + 1)));
    if (key == "id") message.id = words.text();
    else if (key == "received") message.received = words.time();
    else if (key == "sender") message.sender = words.text();
    else if (key == "connector") message.connector = words.text();
    else if (key == "session") message.session = words.text();
    else if (key == "size") message.size = static_cast<std::uint64_t>(words.number());
    else if (key == "flags") {
        message.eight_bit = words.number() != 0;
        message.domain_secured = words.number() != 0;
        message.held = words.number() != 0;
    } else if (key == "body") {
        message.eight_bit_header = words.number() != 0;
        message.binary = words.number() != 0;
        message.smtputf8 = words.number() != 0;
        message.known_sender = words.number() != 0;
    } else if (key == "notices") {
        message.ret = words.text();
        message.envid = words.text();
    } else if (key == "recipient") {
        auto& one = message.recipients.emplace_back();
        one.address = words.text();
        one.domain = words.text();
        one.requirement = words.text();
        one.attempts = static_cast<unsigned>(words.number());
        one.next_attempt = words.time();
        one.clear_next = words.number() != 0;
        one.delay_notified = words.number() != 0;
        one.status = words.text();
        one.text = words.text();
        one.route = words.text();   // since 0.2; missing in older files
        one.notify = words.text();  // since 0.3
        one.orcpt = words.text();
        one.hold_late_reject = words.text() == "1";
        one.held = words.text() == "1";
    } else {
        return false;
    }
    return words.good();
}

Result<QueuedMessage> parse_envelope(std::string_view text) {
    const auto bad = [](const char* why) { return Problem{"spool-damaged", why}; };
    const auto sum_at = text.rfind("\nsum ");
    if (!text.starts_with(first_line) || sum_at == std::string_view::npos) return bad("is no whole envelope");
    char sum[32];
    std::snprintf(sum, sizeof sum, "\nsum %016llx\n",
                  static_cast<unsigned long long>(checksum(text.substr(0, sum_at))));
    if (text.substr(sum_at) != sum) return bad("has a wrong checksum");
    QueuedMessage message;
    auto body = text.substr(0, sum_at);
    body.remove_prefix(std::min(body.size(), first_line.size() + 1));
    while (!body.empty()) {
        const auto line = body.substr(0, body.find('\n'));
        body.remove_prefix(std::min(body.size(), line.size() + 1));
        if (!parse_line(line, message)) return bad("has a line that this version does not know");
    }
    if (message.id.empty()) return bad("names no message");
    return message;
}

}  // namespace postern::queue
