// What each reply within a transaction leads to (RFC 5321 4.3.2, RFC 2033, RFC 2920, RFC 3030). Until then:
// client_opening.cpp.
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
    if (reply.kind() == 3) outcome.status = "4.5.0";  // out of place here; RFC 3463 has no such class
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
        case Awaited::auth:
            return after_auth(reply);
        case Awaited::mail:
            return after_mail(reply);
        case Awaited::rcpt:
            return after_rcpt(reply);
        case Awaited::data:
            return after_data(reply);
        case Awaited::final_dot:
            return after_dot(reply);
        case Awaited::nobody:
            return reset();
        case Awaited::rset:
            active = true;
            return finish();
        case Awaited::probe:
            if (reply.kind() != 2) return refuse_politely({{}, "4.5.0", "RSET was answered " + reply.text(), false});
            todo = ClientDo::ready;
            return;
        case Awaited::quit:
            todo = ClientDo::close;
    }
}

void State::outcome_for_all_open(const PeerReply& reply) {
    for (auto& outcome : outcomes)
        if (outcome.code == 0) outcome = outcome_of(reply);
}

void State::after_mail(const PeerReply& reply) {
    if (reply.kind() != 2) {
        outcome_for_all_open(reply);
        // Pipelined RCPTs are still answered; their 503s change nothing.
        if (sent < asked.size()) sent = answered = asked.size();
        return send_data_if_ready();
    }
    if (sent < asked.size()) send_recipient();
}

void State::after_rcpt(const PeerReply& reply) {
    if (answered >= asked.size()) return fail({}, "4.5.0", "more replies than recipients");
    const auto index = asked[answered++];
    if (outcomes[index].code == 0) {
        auto outcome = outcome_of(reply);
        // RFC 5321 4.5.3.1.10: 552 for too many recipients is an old 452.
        if (reply.code == 552) {
            outcome.kind = VerdictKind::defer;
            outcome.status = "4.5.3";
        }
        if (reply.kind() == 2) {
            accepted.push_back(index);
            outcome.kind = VerdictKind::defer;  // until the final reply
        }
        outcomes[index] = outcome;
    }
    if (sent < asked.size()) return send_recipient();
    send_data_if_ready();
}

void State::send_data_if_ready() {
    if (answered < asked.size() || data_asked) return;
    if (accepted.empty()) return reset();
    data_asked = true;
    if (!chunking()) {
        send("DATA");
        return expect(Awaited::data);
    }
    if (transaction.whole) return send_whole();
    // One chunk of the whole size: nothing has to be waited for on the way.
    send("BDAT " + std::to_string(transaction.size) + " LAST");
    body_left = transaction.size;
    in_body = true;
    todo = ClientDo::body;
}

void State::after_data(const PeerReply& reply) {
    if (reply.code == 354) {
        // What came along with the 354 answers a message that the server has not seen.
        if (reader.has_more()) return fail({}, "4.5.0", "the server answered a message before it was sent");
        line_start = true;
        // It was asked for along with the recipients, and none of them was taken (RFC 2920 3.1).
        if (accepted.empty()) {
            output += ".\r\n";
            return expect(Awaited::nobody);
        }
        if (transaction.whole) {
            stuff(*transaction.whole);
            return end_data();
        }
        todo = ClientDo::body;
        in_body = true;
        return;
    }
    // 250 to DATA itself would be a message accepted that was never sent.
    if (reply.kind() == 2)
        return fail({}, "4.5.0", "the server accepted a message before it was sent: " + reply.text());
    for (const auto index : accepted) outcomes[index] = outcome_of(reply);
    reset();
}

// The server does not wait for the end. What it says is its word, but the connection is of no use afterwards.
void State::reply_in_body(const PeerReply& reply) {
    if (reply.kind() == 2)
        return fail({}, "4.5.0", "the server accepted a message before it was sent: " + reply.text());
    if (reply.code != 421)
        for (const auto index : accepted) outcomes[index] = outcome_of(reply);
    fail({}, "4.5.0", "the server broke into the message: " + reply.text());
}

void State::after_dot(const PeerReply& reply) {
    const bool passed_on = has("DSN");
    const auto settle = [&](RecipientOutcome& outcome) {
        outcome = outcome_of(reply);
        outcome.passed_on = passed_on && reply.kind() == 2;
    };
    if (settings.lmtp) {
        settle(outcomes[accepted[final_answered++]]);
        if (final_answered == accepted.size()) finish();
        return;
    }
    for (const auto index : accepted) settle(outcomes[index]);
    // RFC 3030 2: behind a refused BDAT nobody knows where the server stands.
    chunking() && reply.kind() != 2 ? reset() : finish();
}

void State::reset() {
    send("RSET");
    expect(Awaited::rset);
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
