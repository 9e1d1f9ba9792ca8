// What each reply of the server leads to (RFC 5321 4.3.2, RFC 3207, RFC 2033).
#include <algorithm>
#include <charconv>
#include <smtp/client_state.hpp>

namespace postern::smtp {

using State = ClientSession::State;

static RecipientOutcome outcome_of(const PeerReply& reply) {
    RecipientOutcome outcome;
    outcome.code = reply.code;
    outcome.text = reply.text();
    outcome.kind = reply.kind() == 2   ? VerdictKind::proceed
                   : reply.kind() == 5 ? VerdictKind::reject
                                       : VerdictKind::defer;
    outcome.status = reply.enhanced.empty() ? std::to_string(reply.kind()) + ".0.0" : reply.enhanced;
    return outcome;
}

void State::handle(const PeerReply& reply) {
    if (awaited.empty()) return fail({}, "4.5.0", "the server spoke unasked: " + reply.text());
    const auto what = awaited.front();
    awaited.pop_front();
    // 421 at any time: the server goes; what was not answered waits.
    if (reply.code == 421 && what != Awaited::quit) return fail({}, "4.3.2", "the server closes: " + reply.text());
    switch (what) {
        case Awaited::greeting:
            return after_greeting(reply);
        case Awaited::ehlo:
        case Awaited::helo:
            return after_ehlo(reply);
        case Awaited::starttls:
            return after_starttls(reply);
        case Awaited::mail:
            return after_mail(reply);
        case Awaited::rcpt:
            return after_rcpt(reply);
        case Awaited::data:
            return after_data(reply);
        case Awaited::final_dot:
            return after_dot(reply);
        case Awaited::rset:
            active = true;
            return finish();
        case Awaited::quit:
            todo = ClientDo::close;
    }
}

void State::after_greeting(const PeerReply& reply) {
    greeting = reply.text();
    if (reply.kind() != 2)
        return refuse_politely(
            {{}, reply.kind() == 5 ? "5.3.2" : "4.3.2", "greeted with " + reply.text(), reply.kind() == 5});
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
    if (reply.kind() == 5 && settings.helo_allowed && settings.tls != TlsPolicy::required && !settings.lmtp && !tls &&
        extensions.empty() && !extensions.contains("HELO?")) {
        extensions.insert("HELO?");  // asked once; RFC 5321 3.2
        send("HELO " + settings.fqdn);
        return expect(Awaited::helo);
    }
    if (reply.kind() != 2) return refuse_politely({{}, "4.5.0", "EHLO was answered " + reply.text(), false});
    extensions.clear();
    for (std::size_t i = 1; i < reply.lines.size(); ++i) {
        const auto word = upper_word(reply.lines[i]);
        extensions.insert(word);
        if (word == "SIZE" && reply.lines[i].size() > 5)
            std::from_chars(reply.lines[i].data() + 5, reply.lines[i].data() + reply.lines[i].size(), size_limit);
    }
    greeted();
}

void State::greeted() {
    todo = ClientDo::ready;
    if (tls || settings.tls == TlsPolicy::none) return;
    if (extensions.contains("STARTTLS")) {
        send("STARTTLS");
        return expect(Awaited::starttls);
    }
    if (settings.tls != TlsPolicy::required) return;
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
    todo = ClientDo::ready;
}

void State::outcome_for_all_open(const PeerReply& reply) {
    for (auto& outcome : outcomes)
        if (outcome.code == 0) outcome = outcome_of(reply);
}

void State::after_mail(const PeerReply& reply) {
    if (reply.kind() != 2) {
        outcome_for_all_open(reply);
        // Pipelined RCPTs are still answered; their 503s change nothing.
        answered = pipelining() ? answered : outcomes.size();
        return send_data_if_ready();
    }
    if (!pipelining() && !transaction.recipients.empty()) {
        send("RCPT TO:<" + transaction.recipients[0] + ">");
        expect(Awaited::rcpt);
    }
}

void State::after_rcpt(const PeerReply& reply) {
    const auto index = answered++;
    if (index >= outcomes.size()) return fail({}, "4.5.0", "more replies than recipients");
    if (outcomes[index].code == 0) {
        auto outcome = outcome_of(reply);
        // RFC 5321 4.5.3.1.10: 552 for too many recipients is an old 452.
        if (reply.code == 552) outcome.kind = VerdictKind::defer;
        if (reply.kind() == 2) {
            accepted.push_back(index);
            outcome.kind = VerdictKind::defer;  // until the final reply
        }
        outcomes[index] = outcome;
    }
    if (!pipelining() && answered < outcomes.size()) {
        send("RCPT TO:<" + transaction.recipients[answered] + ">");
        return expect(Awaited::rcpt);
    }
    send_data_if_ready();
}

void State::send_data_if_ready() {
    if (answered < outcomes.size()) return;
    if (accepted.empty()) {
        send("RSET");
        return expect(Awaited::rset);
    }
    send("DATA");
    expect(Awaited::data);
}

void State::after_data(const PeerReply& reply) {
    if (reply.code == 354) {
        todo = ClientDo::body;
        in_body = true;
        line_start = true;
        return;
    }
    // 250 to DATA itself would be a message accepted that was never sent.
    if (reply.kind() == 2)
        return fail({}, "4.5.0", "the server accepted a message before it was sent: " + reply.text());
    for (const auto index : accepted) outcomes[index] = outcome_of(reply);
    finish();
}

void State::after_dot(const PeerReply& reply) {
    if (settings.lmtp) outcomes[accepted[final_answered++]] = outcome_of(reply);
    else
        for (const auto index : accepted) outcomes[index] = outcome_of(reply);
    if (!settings.lmtp || final_answered == accepted.size()) finish();
}

// Called also when the connection broke: what has no final reply stays deferred.
void State::finish() {
    for (const auto index : accepted) {
        auto& outcome = outcomes[index];
        const bool unanswered = failure && outcome.kind == VerdictKind::defer && outcome.code / 100 == 2;
        if (unanswered) outcome = {VerdictKind::defer, 0, failure->status, failure->text, failure->token};
    }
    if (failure)
        for (auto& outcome : outcomes)
            if (outcome.code == 0 && outcome.text.empty())
                outcome = {VerdictKind::defer, 0, failure->status, failure->text, failure->token};
    active = in_body = false;
    todo = ClientDo::finished;
}

}  // namespace postern::smtp
