// MAIL and RCPT: the path and its parameters, checked before anybody is asked (RFC 5321 4.1.1.2, 4.1.1.3; SIZE RFC
// 1870, BODY RFC 6152 and 3030, SMTPUTF8 RFC 6531, RET ENVID NOTIFY ORCPT RFC 3461).
#include <algorithm>
#include <charconv>
#include <mail/notification.hpp>
#include <smtp/server_state.hpp>

namespace postern::smtp {

using State = ServerSession::State;

static bool starts_with_word(std::string_view& text, std::string_view word) {
    if (text.size() < word.size()) return false;
    const bool same = std::equal(word.begin(), word.end(), text.begin(),
                                 [](char a, char b) { return a == (b >= 'a' && b <= 'z' ? b - 32 : b); });
    if (!same) return false;
    text.remove_prefix(word.size());
    while (text.starts_with(' ')) text.remove_prefix(1);
    return true;
}

static std::string upper(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(),
                   [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
    return text;
}

bool State::bad_parameter(std::string text) {
    error(501, "5.5.4", std::move(text));
    return false;
}

bool State::size_parameter(const mail::Parameter& parameter) {
    std::uint64_t size = 0;
    const auto* end = parameter.value.data() + parameter.value.size();
    const auto [stop, bad] = std::from_chars(parameter.value.data(), end, size);
    if (!parameter.has_value || bad != std::errc() || stop != end || parameter.value.size() > 20)
        return bad_parameter("SIZE wants a number of octets");
    if (size > settings.limits.message_size) {
        reply(552, "5.3.4", "the message is larger than " + std::to_string(settings.limits.message_size) + " octets");
        refused_in_group = true;
        return false;
    }
    transaction.declared_size = size;
    return true;
}

bool State::body_parameter(const mail::Parameter& parameter) {
    const auto value = upper(parameter.value);
    if (value == "8BITMIME") transaction.body = Body::eight_bit;
    else if (value == "BINARYMIME" && takes_binary()) transaction.body = Body::binary;
    else if (value != "7BIT")
        return bad_parameter(takes_binary() ? "BODY is 7BIT, 8BITMIME or BINARYMIME" : "BODY is 7BIT or 8BITMIME");
    return true;
}

bool State::mail_parameter(const mail::Parameter& parameter) {
    const auto& keyword = parameter.keyword;
    if (keyword == "SIZE" && settings.size) return size_parameter(parameter);
    if (keyword == "BODY" && settings.eight_bit_mime) return body_parameter(parameter);
    if (keyword == "SMTPUTF8" && takes_utf8()) {
        transaction.smtputf8 = true;
        return parameter.has_value ? bad_parameter("SMTPUTF8 takes no value") : true;
    }
    if (keyword == "RET" && settings.dsn) {
        const auto ret = mail::ret_value(parameter.value);
        transaction.ret = ret.value_or("");
        return ret ? true : bad_parameter("RET is FULL or HDRS");
    }
    if (keyword == "ENVID" && settings.dsn) {
        transaction.envid = parameter.value;
        return mail::is_envid(parameter.value) ? true : bad_parameter("ENVID is xtext of at most 100 octets");
    }
    error(555, "5.5.4", keyword + " is not a parameter of what is offered here");
    return false;
}

bool State::mail_parameters(std::string_view text) {
    const auto list = mail::parameters(text);
    if (!list) return bad_parameter(list.failure.text);
    for (const auto& parameter : *list) {
        if (!extended) {
            error(555, "5.5.4", "parameters need EHLO");
            return false;
        }
        if (!mail_parameter(parameter)) return false;
    }
    return true;
}

void State::mail_from(std::string_view argument) {
    if (helo.empty()) return error(503, "5.5.1", "say EHLO first");
    if (in_transaction) return error(503, "5.5.1", "a transaction is under way");
    if (!starts_with_word(argument, "FROM:")) return error(501, "5.5.4", "MAIL FROM:<address>");
    transaction = {};
    transfer_refused = false;
    const auto path = mail::parse_reverse_path(argument, takes_utf8() && extended);
    if (!path) return error(path.failure.token == "5.6.7" ? 553 : 501, path.failure.token, path.failure.text);
    if (!path->empty && path->domain.empty()) return error(501, "5.1.7", "the sender needs a domain");
    const bool good = mail_parameters(argument);
    if (good && path->utf8 && !transaction.smtputf8)
        error(553, "5.6.7", "a non-ASCII address needs the parameter SMTPUTF8");
    if (!good || (path->utf8 && !transaction.smtputf8)) {
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
    chunk_octets = 0;
    reply(250, "2.1.0", "Sender OK");
}

bool State::recipient_parameter(const mail::Parameter& parameter) {
    if (parameter.keyword == "NOTIFY" && settings.dsn && extended) {
        const auto notify = mail::notify_value(parameter.value);
        transaction.asked_wishes.notify = notify.value_or("");
        return notify ? true : bad_parameter("NOTIFY is NEVER, or some of SUCCESS,FAILURE,DELAY");
    }
    if (parameter.keyword == "ORCPT" && settings.dsn && extended) {
        transaction.asked_wishes.orcpt = parameter.value;
        return mail::is_orcpt(parameter.value, transaction.smtputf8) ? true : bad_parameter("ORCPT is TYPE;XTEXT");
    }
    error(555, "5.5.4", parameter.keyword + " is not a parameter of what is offered here");
    return false;
}

void State::rcpt_to(std::string_view argument) {
    if (!in_transaction) return error(503, "5.5.1", "say MAIL first");
    if (content) return error(503, "5.5.1", "BDAT is under way");
    if (!starts_with_word(argument, "TO:")) return error(501, "5.5.4", "RCPT TO:<address>");
    const auto path = mail::parse_forward_path(argument, transaction.smtputf8);
    if (!path) return error(path.failure.token == "5.6.7" ? 553 : 501, path.failure.token, path.failure.text);
    const auto list = mail::parameters(argument, transaction.smtputf8);
    if (!list) return error(501, list.failure.token, list.failure.text);
    transaction.asked_wishes = {};
    for (const auto& parameter : *list)
        if (!recipient_parameter(parameter)) return;
    if (transaction.recipients.size() >= std::max<std::size_t>(settings.limits.recipients, 100))
        return reply(452, "4.5.3", "too many recipients for one message");
    transaction.asked = *path;
    ask(ServerPhase::recipient);
}

void State::answer_recipient(const Verdict& verdict, bool is_unknown) {
    if (verdict.kind == VerdictKind::proceed) {
        envelope_octets += sizeof(mail::Path) + sizeof(Wishes) + transaction.asked.local_part.size() +
                           transaction.asked.domain.size() + transaction.asked_wishes.orcpt.size();
        transaction.recipients.push_back(transaction.asked);
        transaction.wishes.push_back(std::move(transaction.asked_wishes));
        return reply(250, "2.1.5", "Recipient OK");
    }
    say(mail::checked(verdict), true);
    refused_in_group = true;
    if (!is_unknown) return;
    ++offences;
    if (++unknown >= settings.limits.unknown_recipients) close_with("4.7.0", "too many unknown recipients");
}

}  // namespace postern::smtp
