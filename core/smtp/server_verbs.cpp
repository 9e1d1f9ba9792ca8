// EHLO, STARTTLS and AUTH: what each checks before anybody is asked, and what it says once the answer is there
// (RFC 5321 4.1.1). The envelope's verbs are in server_envelope.cpp, the data's in server_body.cpp.
#include <algorithm>
#include <smtp/server_state.hpp>

namespace postern::smtp {

using State = ServerSession::State;

void State::ehlo(std::string_view argument, bool is_extended) {
    if (sync_point_violated(is_extended ? "EHLO" : "HELO")) return;
    const auto name = mail::helo_name(argument);
    // No enhanced code here: RFC 2034 4.
    if (!name) {
        say({501, {}, "give a host name or an address literal"}, false);
        count_error();
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
        if (settings.chunking) lines.emplace_back("CHUNKING");
        if (takes_binary()) lines.emplace_back("BINARYMIME");
        if (settings.dsn) lines.emplace_back("DSN");
        if (takes_utf8()) lines.emplace_back("SMTPUTF8");
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

}  // namespace postern::smtp
