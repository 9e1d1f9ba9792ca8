#include <ctime>
#include <queue/notice.hpp>

namespace postern::queue {

std::string rfc5322_date(Time time) {
    static constexpr const char* days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static constexpr const char* months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                             "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const auto seconds = std::chrono::system_clock::to_time_t(time);
    std::tm parts{};
    gmtime_r(&seconds, &parts);
    char text[128];
    std::snprintf(text, sizeof text, "%s, %d %s %d %02d:%02d:%02d +0000", days[parts.tm_wday], parts.tm_mday,
                  months[parts.tm_mon], parts.tm_year + 1900, parts.tm_hour, parts.tm_min, parts.tm_sec);
    return text;
}

static std::string clean(std::string_view text) {
    std::string safe;
    for (unsigned char c : text) safe += c >= 32 && c < 127 ? static_cast<char>(c) : '?';
    return safe;
}

std::string failure_notice(const QueuedMessage& message, const std::vector<Undelivered>& failed, std::string_view fqdn,
                           std::string_view notice_id, Time now, std::string_view original) {
    const std::string host(fqdn);
    std::string text =
        "From: Mail delivery <postmaster@" + host + ">\r\nTo: <" + message.sender + ">\r\n" +
        "Subject: Your message could not be delivered\r\nDate: " + rfc5322_date(now) + "\r\nMessage-ID: <" +
        std::string(notice_id) + "@" + host + ">\r\nAuto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n" +
        "Content-Type: text/plain; charset=us-ascii\r\n\r\n" + "The mail server " + host +
        " could not deliver your message (" + message.id + ")\r\nto these recipients and will not try again:\r\n\r\n";
    for (const auto& one : failed) {
        text += "Final-Recipient: rfc822; " + clean(one.recipient) + "\r\nStatus: " + clean(one.status) +
                "\r\nDiagnostic-Code: " + (one.token.empty() ? "smtp; " : "x-postern; " + one.token + ": ") +
                clean(one.text) + "\r\n\r\n";
    }
    text += message.domain_secured ? "The header section of your message:\r\n\r\n" : "Your message:\r\n\r\n";
    // Quoted by two blanks: nothing in it can look like a part of this notice.
    while (!original.empty()) {
        const auto line = original.substr(0, original.find("\r\n"));
        original.remove_prefix(std::min(original.size(), line.size() + 2));
        text += "  " + clean(line).substr(0, 990) + "\r\n";
    }
    return text;
}

}  // namespace postern::queue
