// What each verb checks before anybody is asked, and what it says once the answer is there (RFC 5321 4.1.1).
#include <algorithm>
#include <charconv>
#include <smtp/server_state.hpp>

namespace postern::smtp {

using State = ServerSession::State;

void State::ehlo(std::string_view argument, bool is_extended) {
    if (sync_point_violated(is_extended ? "EHLO" : "HELO")) return;
    const auto name = mail::helo_name(argument);
    // No enhanced code here: RFC 2034 4.
    if (!name) {
        say({501, {}, "give a host name or an address literal"}, false);
        if (++errors >= settings.limits.errors) close_with("4.7.0", "too many errors");
        return;
    }
    forget_transaction();
    helo = *name;
    extended = is_extended;
    ask(ServerPhase::helo);
}

// RFC 5321 4.1.1.1: keywords are compared without case.
static bool is_keyword(std::string_view line, std::string_view keyword) {
    const auto word = line.substr(0, line.find(' '));
    return std::ranges::equal(word, keyword, [](char a, char b) {
        const auto upper = [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; };
        return upper(a) == upper(b);
    });
}

void State::answer_helo(const Verdict& verdict) {
    const auto hidden = std::exchange(hidden_extensions, {});
    auto added = std::exchange(added_extensions, {});
    offered = false;
    if (verdict.kind != VerdictKind::proceed) {
        helo.clear();  // whoever was refused has not said it
        auto reply = mail::checked(verdict);
        reply.enhanced.clear();  // RFC 2034 4
        return say(reply, false);
    }
    mail::Reply words{250, {}, settings.fqdn + " Hello [" + peer.address + "]"};
    if (extended) {
        std::vector<std::string> lines;
        if (settings.size) lines.push_back("SIZE " + std::to_string(settings.limits.message_size));
        if (settings.pipelining) lines.emplace_back("PIPELINING");
        if (settings.eight_bit_mime) lines.emplace_back("8BITMIME");
        if (settings.enhanced_status_codes) lines.emplace_back("ENHANCEDSTATUSCODES");
        offered = settings.starttls == StartTls::offered && !tls;
        if (offered) lines.emplace_back("STARTTLS");
        for (const auto& keyword : hidden)
            std::erase_if(lines, [&](const std::string& line) { return is_keyword(line, keyword); });
        for (auto& line : added) lines.push_back(std::move(line));
        words.lines.insert(words.lines.end(), lines.begin(), lines.end());
    }
    say(words, false);
}

void State::starttls(std::string_view argument) {
    if (sync_point_violated("STARTTLS")) return;
    if (!argument.empty()) return error(501, "5.5.4", "STARTTLS takes no argument");
    if (tls) return error(503, "5.5.1", "TLS is on already");
    if (settings.starttls == StartTls::not_configured) return error(502, "5.5.1", "STARTTLS is not offered here");
    tried = true;
    if (settings.starttls == StartTls::unavailable) return reply(454, "4.7.0", "TLS is not available for now");
    if (helo.empty()) return error(503, "5.5.1", "say EHLO first");
    ask(ServerPhase::starttls);
}

void State::answer_starttls(const Verdict& verdict) {
    if (verdict.kind != VerdictKind::proceed) return say(mail::checked(verdict), true);
    reply(220, "2.0.0", "ready to start TLS");
    mode = Mode::handshake;
}

// Not offered; who tries it all the same (a guesser of passwords, mostly) is shown to deciders.
void State::auth(std::string_view argument) {
    auth_mechanism.clear();
    for (const char c : argument.substr(0, std::min<std::size_t>(argument.find(' '), 20)))  // RFC 4422 3.1
        auth_mechanism += c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
    ask(ServerPhase::auth);
}

static bool starts_with_word(std::string_view& text, std::string_view word) {
    if (text.size() < word.size()) return false;
    const bool same = std::equal(word.begin(), word.end(), text.begin(),
                                 [](char a, char b) { return a == (b >= 'a' && b <= 'z' ? b - 32 : b); });
    if (!same) return false;
    text.remove_prefix(word.size());
    while (text.starts_with(' ')) text.remove_prefix(1);
    return true;
}

bool State::mail_parameters(std::string_view text) {
    const auto list = mail::parameters(text);
    if (!list) {
        error(501, list.failure.token, list.failure.text);
        return false;
    }
    for (const auto& parameter : *list) {
        if (parameter.keyword == "SIZE" && settings.size && extended) {
            std::uint64_t size = 0;
            const auto* end = parameter.value.data() + parameter.value.size();
            const auto [stop, bad] = std::from_chars(parameter.value.data(), end, size);
            if (!parameter.has_value || bad != std::errc() || stop != end || parameter.value.size() > 20) {
                error(501, "5.5.4", "SIZE wants a number of octets");
                return false;
            }
            if (size > settings.limits.message_size) {
                reply(552, "5.3.4",
                      "the message is larger than " + std::to_string(settings.limits.message_size) + " octets");
                refused_in_group = true;
                return false;
            }
            transaction.declared_size = size;
        } else if (parameter.keyword == "BODY" && settings.eight_bit_mime && extended) {
            std::string value = parameter.value;
            std::transform(value.begin(), value.end(), value.begin(),
                           [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
            if (value != "7BIT" && value != "8BITMIME") {
                error(501, "5.5.4", "BODY is 7BIT or 8BITMIME");
                return false;
            }
            transaction.eight_bit = value == "8BITMIME";
        } else {
            error(555, "5.5.4", parameter.keyword + " is not a parameter of what is offered here");
            return false;
        }
    }
    return true;
}

void State::mail_from(std::string_view argument) {
    if (helo.empty()) return error(503, "5.5.1", "say EHLO first");
    if (in_transaction) return error(503, "5.5.1", "a transaction is under way");
    if (!starts_with_word(argument, "FROM:")) return error(501, "5.5.4", "MAIL FROM:<address>");
    transaction = {};
    const auto path = mail::parse_reverse_path(argument);
    if (!path) return error(path.failure.token == "5.6.7" ? 553 : 501, path.failure.token, path.failure.text);
    if (!path->empty && path->domain.empty()) return error(501, "5.1.7", "the sender needs a domain");
    if (!mail_parameters(argument)) {
        transaction = {};
        return;
    }
    transaction.sender = *path;
    ask(ServerPhase::mail);
}

void State::answer_mail(const Verdict& verdict) {
    if (verdict.kind != VerdictKind::proceed) {
        say(mail::checked(verdict), true);
        refused_in_group = true;
        transaction = {};
        return;
    }
    in_transaction = true;
    reply(250, "2.1.0", "Sender OK");
}

void State::rcpt_to(std::string_view argument) {
    if (!in_transaction) return error(503, "5.5.1", "say MAIL first");
    if (!starts_with_word(argument, "TO:")) return error(501, "5.5.4", "RCPT TO:<address>");
    const auto path = mail::parse_forward_path(argument);
    if (!path) return error(path.failure.token == "5.6.7" ? 553 : 501, path.failure.token, path.failure.text);
    const auto list = mail::parameters(argument);
    if (!list) return error(501, list.failure.token, list.failure.text);
    if (!list->empty())
        return error(555, "5.5.4", list->front().keyword + " is not a parameter of what is offered here");
    if (transaction.recipients.size() >= std::max<std::size_t>(settings.limits.recipients, 100))
        return reply(452, "4.5.3", "too many recipients for one message");
    transaction.asked = *path;
    ask(ServerPhase::recipient);
}

void State::answer_recipient(const Verdict& verdict, bool is_unknown) {
    if (verdict.kind == VerdictKind::proceed) {
        transaction.recipients.push_back(transaction.asked);
        return reply(250, "2.1.5", "Recipient OK");
    }
    say(mail::checked(verdict), true);
    refused_in_group = true;
    if (is_unknown && ++unknown >= settings.limits.unknown_recipients)
        close_with("4.7.0", "too many unknown recipients");
}

void State::data_command(std::string_view argument) {
    if (sync_point_violated("DATA")) return;
    if (!argument.empty()) return error(501, "5.5.4", "DATA takes no argument");
    if (!in_transaction) return error(503, "5.5.1", "say MAIL first");
    if (transaction.recipients.empty()) return error(554, "5.5.1", "no valid recipients");
    ask(ServerPhase::data);
}

// ask: nothing to hand out, look again; the mode may have changed.
ServerDo State::data_step() {
    data->take(input);
    if (data->fault() || !data->header_complete()) {
        if (!data->ended()) return ServerDo::read;
        end_of_data();
        return ServerDo::ask;
    }
    if (!body_given) {
        body_given = true;
        handed_out = std::exchange(data->header(), {});
        mode = Mode::header_out;
        return ServerDo::header;
    }
    if (!data->piece().empty() && (data->piece_full() || data->ended() || input.empty())) {
        handed_out = std::exchange(data->piece(), {});
        mode = Mode::body_out;
        return ServerDo::body;
    }
    if (!data->ended()) return ServerDo::read;
    end_of_data();
    return ServerDo::ask;
}

void State::end_of_data() {
    if (data->fault()) {
        say(*data->fault(), true);
        forget_transaction();
        mode = Mode::command;
        return;
    }
    if (!data->header_complete()) {
        // A message that ended within its header section: complete it, then hand it out as any other.
        data->finish_header();
        return;
    }
    transaction.has_bare_eight_bit = data->eight_bit();
    phase = ServerPhase::data;
    mode = Mode::commit;
}

}  // namespace postern::smtp
