// The inside of ClientSession, shared by its files.
#pragma once

#include <deque>
#include <set>
#include <smtp/client_session.hpp>
#include <smtp/reply_reader.hpp>

namespace postern::smtp {

// What the next reply answers.
enum class Awaited : std::uint8_t { greeting, ehlo, helo, starttls, mail, rcpt, data, final_dot, rset, quit };

struct ClientSession::State {
    explicit State(ClientSettings given)
        : settings(std::move(given)), reader(settings.reply_lines, settings.reply_size) {}

    ClientSettings settings;
    ReplyReader reader;
    std::string output, greeting;
    std::deque<Awaited> awaited{Awaited::greeting};
    ClientDo todo = ClientDo::read;
    std::set<std::string, std::less<>> extensions;
    std::uint64_t size_limit = 0;
    bool tls = false, in_body = false, line_start = true, closing = false;
    std::optional<ClientFailure> failure;

    ClientTransaction transaction;
    std::vector<RecipientOutcome> outcomes;
    std::size_t answered = 0;           // recipients whose RCPT was answered
    std::vector<std::size_t> accepted;  // indexes into recipients
    std::size_t final_answered = 0;     // LMTP: one final reply each
    bool active = false, data_sent = false;

    void send(std::string line) { output += line + "\r\n"; }
    void expect(Awaited what) {
        awaited.push_back(what);
        todo = ClientDo::read;
    }
    void fail(std::string token, std::string status, std::string text, bool permanent = false);
    void refuse_politely(ClientFailure why);  // QUIT, then close
    void handle(const PeerReply& reply);
    void after_greeting(const PeerReply& reply);
    void after_ehlo(const PeerReply& reply);
    void greeted();  // EHLO done: STARTTLS, ask_peer or ready
    void after_starttls(const PeerReply& reply);
    void after_mail(const PeerReply& reply);
    void after_rcpt(const PeerReply& reply);
    void after_data(const PeerReply& reply);
    void after_dot(const PeerReply& reply);
    void send_data_if_ready();
    void finish();
    bool pipelining() const { return extensions.contains("PIPELINING"); }
    void outcome_for_all_open(const PeerReply& reply);
};

}  // namespace postern::smtp
