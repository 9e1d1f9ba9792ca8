// From octets to commands: strict line ends, the limits on lines, the points where a client must wait.
#include <algorithm>
#include <array>
#include <smtp/server_state.hpp>

namespace postern::smtp {

using State = ServerSession::State;

namespace {
constexpr std::size_t endless_line = 64u << 10;
constexpr std::size_t most_bare_line_ends = 3;
constexpr std::size_t most_heard = 4096;  // of one line, for the log
constexpr std::array http_verbs{"GET", "POST", "PUT", "HEAD", "CONNECT", "OPTIONS", "DELETE", "PATCH", "TRACE"};
constexpr std::array not_offered{"EXPN", "ETRN", "TURN", "ATRN", "SEND", "SOML", "SAML"};

template <class List>
bool among(const List& list, std::string_view word) {
    return std::find(list.begin(), list.end(), word) != list.end();
}
}  // namespace

void State::bad_line_end() {
    if (++bare_line_ends >= most_bare_line_ends) {
        ++offences;
        reply(500, "5.5.2", "lines end with CRLF");
        close_with("4.7.0", "too many lines without CRLF");
    } else {
        error(500, "5.5.2", "lines end with CRLF");
    }
}

void State::line_too_long(std::string_view line) {
    // RFC 4954 4: 12288 octets, and a code of its own.
    if (mail::split_command(line).verb == "AUTH") {
        if (line.size() <= settings.limits.auth_line) return run_line(std::string(line));
        return error(500, "5.5.6",
                     "the AUTH line is longer than " + std::to_string(settings.limits.auth_line) + " octets");
    }
    error(500, "5.5.2", "the command line is longer than " + std::to_string(settings.limits.command_line) + " octets");
}

bool State::take_line() {
    const auto end = input.find('\n');
    if (std::min(end, input.size()) > endless_line) {
        heard.append(input, 0, most_heard).append("\r\n");
        input.clear();
        reply(500, "5.5.2", "the line does not end");
        close_with("4.7.0", "closing");
        return true;
    }
    if (end == std::string::npos) return false;
    ++taken;
    auto line = input.substr(0, end);
    input.erase(0, end + 1);
    const bool crlf = line.ends_with('\r');
    if (crlf) line.pop_back();
    heard.append(line, 0, most_heard).append("\r\n");
    if (!crlf || line.find('\r') != std::string::npos) {
        if (!(settings.normalize_bare_newlines && line.find('\r') == std::string::npos)) {
            bad_line_end();
            return true;
        }
    }
    if (line.size() > settings.limits.command_line) line_too_long(line);
    else run_line(std::move(line));
    return true;
}

// EHLO, STARTTLS and DATA end a pipelined group (RFC 2920 3.1): what was sent behind them was sent blindly, perhaps by
// somebody in between.
bool State::sync_point_violated(std::string_view verb) {
    if (input.empty()) return false;
    heard.append(input, 0, most_heard).append("\r\n");
    input.clear();
    reply(503, "5.5.0", std::string(verb) + " must be the last command of its group");
    close_with("4.7.0", "closing");
    return true;
}

void State::run_line(std::string line) {
    const bool first = std::exchange(first_line, false);
    const auto command = mail::split_command(line);
    const auto& verb = command.verb;
    const auto argument = command.argument;
    if (first && among(http_verbs, verb)) {
        reply(554, "5.5.0", "this is SMTP");
        return close_with("4.7.0", "closing");
    }
    if (verb == "EHLO" || verb == "HELO") return ehlo(argument, verb == "EHLO");
    if (verb == "MAIL") return mail_from(argument);
    if (verb == "RCPT") return rcpt_to(argument);
    if (verb == "DATA") return data_command(argument);
    if (verb == "BDAT") return bdat(argument);
    if (verb == "STARTTLS") return starttls(argument);
    if (verb == "AUTH") return auth(argument);
    if (verb == "RSET") {
        if (!argument.empty()) return error(501, "5.5.4", "RSET takes no argument");
        forget_transaction();
        return reply(250, "2.0.0", "forgotten");
    }
    if (verb == "NOOP") return reply(250, "2.0.0", "OK");
    if (verb == "VRFY") {
        if (argument.empty()) return error(501, "5.5.4", "VRFY needs an address");
        return reply(252, "2.0.0", "send it, and it will be seen");
    }
    if (verb == "HELP") return reply(214, "2.0.0", "RFC 5321; STARTTLS before mail of partner domains");
    if (verb == "QUIT") {
        reply(221, "2.0.0", settings.fqdn + " closing");
        mode = Mode::closed;
        return;
    }
    if (among(not_offered, verb)) return error(502, "5.5.1", verb + " is not offered here");
    error(500, "5.5.2", "unknown command");
}

}  // namespace postern::smtp
