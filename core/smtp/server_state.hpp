// The inside of ServerSession, shared by its files: one verb a row, one row a function.
#pragma once

#include <mail/command.hpp>
#include <smtp/data_reader.hpp>
#include <smtp/server_session.hpp>

namespace postern::smtp {

enum class Mode : std::uint8_t { connect, command, asking, handshake, data, header_out, body_out, commit, closed };

struct ServerSession::State {
    ServerSettings settings;
    ServerPeer peer;
    Mode mode = Mode::connect;
    ServerPhase phase = ServerPhase::connect;
    std::string input, output;
    std::string helo, auth_mechanism;
    std::vector<std::string> hidden_extensions, added_extensions;  // of the EHLO reply under way
    bool extended = false, tls = false;
    bool offered = false, tried = false;  // STARTTLS
    bool in_transaction = false, first_line = true, fed_before_greeting = false;
    bool refused_in_group = false;  // 503s behind it are its echo, not errors of their own
    bool body_given = false, shutting_down = false;
    std::size_t errors = 0, unknown = 0, bare_line_ends = 0;
    Transaction transaction;
    std::unique_ptr<DataReader> data;
    std::string handed_out;  // what header() and body() show
    std::optional<mail::Reply> transfer_fault;

    void reply(std::uint16_t code, std::string enhanced, std::string text);
    void say(const mail::Reply& words, bool enhanced);
    void error(std::uint16_t code, std::string enhanced, std::string text);
    void close_with(std::string enhanced, std::string text);
    void ask(ServerPhase what);
    void forget_transaction();

    bool take_line();  // false: more input is needed
    void run_line(std::string line);
    void bad_line_end();
    ServerDo data_step();
    void end_of_data();
    bool sync_point_violated(std::string_view verb);

    void ehlo(std::string_view argument, bool is_extended);
    void mail_from(std::string_view argument);
    void rcpt_to(std::string_view argument);
    void data_command(std::string_view argument);
    void starttls(std::string_view argument);
    void auth(std::string_view argument);
    bool mail_parameters(std::string_view text);
    void answer_helo(const Verdict& verdict);
    void answer_starttls(const Verdict& verdict);
    void answer_mail(const Verdict& verdict);
    void answer_recipient(const Verdict& verdict, bool is_unknown);
};

}  // namespace postern::smtp
