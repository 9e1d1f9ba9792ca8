// From the greeting to where the first transaction may begin (RFC 5321 3.1, 3.2, RFC 3207, RFC 4954).
#include <algorithm>
#include <charconv>
#include <mail/base64.hpp>
#include <smtp/client_state.hpp>
#include <utility>

namespace postern::smtp {

using State = ClientSession::State;

void State::after_greeting(const PeerReply& reply) {
    greeting = reply.text();
    // What is said in clear speaks for no domain that must be proven: nobody in between has its mail bounced.
    const bool for_good = reply.kind() == 5 && settings.tls != TlsPolicy::required;
    if (reply.kind() != 2)
        return refuse_politely({{}, for_good ? "5.3.2" : "4.3.2", "greeted with " + reply.text(), for_good});
    send((settings.lmtp ? "LHLO " : "EHLO ") + settings.fqdn);
    expect(Awaited::ehlo);
}

static std::string upper_word(std::string_view line) {
    std::string word(line.substr(0, line.find_first_of(" =")));
    std::transform(word.begin(), word.end(), word.begin(),
                   [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
    return word;
}

void State::after_ehlo(const PeerReply& reply) {
    const bool may_be_old = settings.helo_allowed && settings.tls != TlsPolicy::required && !settings.lmtp && !tls;
    if (reply.kind() == 5 && may_be_old && !std::exchange(helo_tried, true)) {  // RFC 5321 3.2
        send("HELO " + settings.fqdn);
        return expect(Awaited::helo);
    }
    if (reply.kind() != 2) return refuse_politely({{}, "4.5.0", "EHLO was answered " + reply.text(), false});
    extensions.clear();
    for (std::size_t i = 1; i < reply.lines.size(); ++i) take_extension(reply.lines[i]);
    greeted();
}

void State::take_extension(std::string_view line) {
    auto word = upper_word(line);
    auto rest = line.substr(word.size());
    if (word == "SIZE" && rest.size() > 1) std::from_chars(rest.data() + 1, rest.data() + rest.size(), size_limit);
    // "AUTH=" is what servers of old wrote.
    while (word == "AUTH" && !rest.empty()) {
        rest.remove_prefix(1);
        auto mechanism = upper_word(rest);
        rest.remove_prefix(mechanism.size());
        mechanisms.insert(std::move(mechanism));
    }
    extensions.insert(std::move(word));
}

void State::greeted() {
    if (tls || settings.tls == TlsPolicy::none) return opened();
    if (extensions.contains("STARTTLS")) {
        send("STARTTLS");
        return expect(Awaited::starttls);
    }
    if (settings.tls != TlsPolicy::required) return opened();
    const bool masked = extensions.contains("XXXXXXXA");
    refuse_politely({"starttls-not-offered", "4.7.5",
                     masked ? "a firewall in between rewrites SMTP (XXXXXXXA instead of STARTTLS): its SMTP inspection "
                              "must be switched off"
                            : "the server does not offer STARTTLS",
                     false});
}

void State::after_starttls(const PeerReply& reply) {
    if (reply.code == 220) {
        // Text behind the 220 was sent before TLS by somebody: it must not be read as if said inside.
        if (reader.has_more()) {
            reader.drop();
            return fail("handshake-failed", "4.7.5", "the server sent text in clear behind its 220 to STARTTLS");
        }
        todo = ClientDo::start_tls;
        return;
    }
    if (settings.tls == TlsPolicy::required)
        return refuse_politely({"starttls-refused", "4.7.5", "STARTTLS was answered " + reply.text(), false});
    opened();
}

void State::opened() {
    if (settings.credentials) return authenticate();
    todo = ClientDo::ready;
}

// RFC 4954 14: passwords only to whom TLS has proven; RFC 4616 PLAIN, else the older LOGIN.
void State::authenticate() {
    const auto& [user, password] = *settings.credentials;
    if (!tls || !settings.ask_peer)
        return refuse_politely({{}, "4.7.0", "credentials are sent only inside verified TLS", false});
    if (mechanisms.contains("PLAIN")) {
        const auto response = std::string(1, '\0') + user + std::string(1, '\0') + password;
        send_secret("AUTH PLAIN " + mail::to_base64(response), "AUTH PLAIN ...");
    } else if (mechanisms.contains("LOGIN")) {
        secrets = {mail::to_base64(user), mail::to_base64(password)};
        send("AUTH LOGIN");
    } else {
        return refuse_politely({{}, "4.7.0", "the server offers neither AUTH PLAIN nor LOGIN", false});
    }
    expect(Awaited::auth);
}

void State::after_auth(const PeerReply& reply) {
    if (reply.code == 334 && !secrets.empty()) {
        send_secret(secrets.front(), "...");
        secrets.pop_front();
        return expect(Awaited::auth);
    }
    secrets.clear();
    if (reply.kind() == 2) {
        todo = ClientDo::ready;
        return;
    }
    // Whatever its class: a password that is wrong here is no fault of who sent the message.
    refuse_politely({{}, "4.7.8", "the server did not take our credentials: " + reply.text(), false});
}

}  // namespace postern::smtp
