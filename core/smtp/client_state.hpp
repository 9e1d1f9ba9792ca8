// The inside of ClientSession, shared by its files.
#pragma once

#include <deque>
#include <set>
#include <smtp/client_session.hpp>
#include <smtp/reply_reader.hpp>

namespace postern::smtp {

// What the next reply answers.
enum class Awaited : std::uint8_t {
    greeting,
    ehlo,
    helo,
    starttls,
    auth,
    mail,
    rcpt,
    data,
    final_dot,
    nobody,
    rset,
    probe,
    quit
};

struct ClientSession::State {
    explicit State(ClientSettings given)
        : settings(std::move(given)), reader(settings.reply_lines, settings.reply_size) {}

    ClientSettings settings;
    ReplyReader reader;
    std::string output, said, greeting;
    std::deque<Awaited> awaited{Awaited::greeting};
    ClientDo todo = ClientDo::read;
    std::set<std::string, std::less<>> extensions, mechanisms;  // mechanisms: of AUTH
    std::uint64_t size_limit = 0, replies = 0;
    bool tls = false, closing = false, helo_tried = false;
    std::optional<ClientFailure> failure;
    std::deque<std::string> secrets;  // what AUTH still has to say

    ClientTransaction transaction;
    std::vector<RecipientOutcome> outcomes;
    std::vector<std::size_t> asked;      // indexes into recipients: those that the server is asked about
    std::size_t sent = 0, answered = 0;  // of asked: RCPTs sent, answered
    std::vector<std::size_t> accepted;   // indexes into recipients
    std::size_t final_answered = 0;      // LMTP: one final reply each
    bool active = false, data_sent = false, data_asked = false, in_body = false, line_start = true;
    std::uint64_t body_left = 0;  // by BDAT

    void send(const std::string& line) {
        output += line + "\r\n";
        said += line + "\r\n";
    }
    void send_secret(const std::string& line, const std::string& shown) {
        output += line + "\r\n";
        said += shown + "\r\n";
    }
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
    void authenticate();
    void after_auth(const PeerReply& reply);
    void opened();  // nothing stands between us and the first transaction
    void after_mail(const PeerReply& reply);
    void after_rcpt(const PeerReply& reply);
    void after_data(const PeerReply& reply);
    void after_dot(const PeerReply& reply);
    void take_extension(std::string_view line);
    bool refuse_unfit();
    std::string mail_command() const;
    void send_recipient();
    void send_whole();
    void stuff(std::string_view octets);
    void end_data();
    void send_data_if_ready();
    void reply_in_body(const PeerReply& reply);
    void reset();
    void finish();
    bool has(std::string_view keyword) const { return extensions.contains(keyword); }
    bool chunking() const { return has("CHUNKING") && !settings.lmtp; }
    bool pipelines_data() const { return pipelining() && !settings.lmtp; }
    bool pipelining() const { return extensions.contains("PIPELINING"); }
    void outcome_for_all_open(const PeerReply& reply);
};

}  // namespace postern::smtp
