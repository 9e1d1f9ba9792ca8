// The inside of ServerSession, shared by its files: one verb a row, one row a function.
#pragma once

#include <mail/command.hpp>
#include <smtp/chunk_reader.hpp>
#include <smtp/data_reader.hpp>
#include <smtp/server_session.hpp>

namespace postern::smtp {

enum class Mode : std::uint8_t {
    connect,
    command,
    asking,
    handshake,
    data,        // behind 354
    chunk,       // the octets of a BDAT
    skip_chunk,  // of one that was refused
    header_out,
    body_out,
    commit,
    closed,
};

struct ServerSession::State {
    ServerSettings settings;
    ServerPeer peer;
    Mode mode = Mode::connect;
    ServerPhase phase = ServerPhase::connect;
    std::string input, output, heard;
    std::string helo, auth_mechanism;
    std::vector<std::string> hidden_extensions, added_extensions;  // of the EHLO reply under way
    bool extended = false, tls = false;
    bool offered = false, tried = false;  // STARTTLS
    bool in_transaction = false, first_line = true, fed_before_greeting = false;
    bool refused_in_group = false;  // 503s behind it are its echo, not errors of their own
    bool body_given = false, shutting_down = false;
    std::size_t errors = 0, unknown = 0, bare_line_ends = 0, offences = 0;
    std::uint64_t taken = 0;
    std::size_t envelope_octets = 0;
    Transaction transaction;
    std::unique_ptr<Content> content;  // a transfer is under way
    DataReader data;
    ChunkReader chunks;
    bool chunked = false, data_ended = false;
    std::uint64_t chunk_octets = 0;            // by BDAT since the last MAIL
    std::optional<mail::Reply> chunk_refusal;  // what follows the octets of a refused BDAT
    bool refusal_counts = false;               // as a protocol error
    bool transfer_refused = false;             // the BDATs that were sent behind a refused one are its echo
    std::string handed_out;                    // what header() and body() show

    bool takes_binary() const { return settings.binary_mime && settings.chunking && settings.eight_bit_mime; }
    bool takes_utf8() const { return settings.smtputf8 && settings.eight_bit_mime; }

    void reply(std::uint16_t code, std::string enhanced, std::string text);
    void say(const mail::Reply& words, bool enhanced);
    void count_error();
    void error(std::uint16_t code, std::string enhanced, std::string text);
    void close_with(std::string enhanced, std::string text);
    void ask(ServerPhase what);
    void forget_transaction();

    ServerDo step();
    bool take_line();  // false: more input is needed
    void run_line(std::string line);
    void bad_line_end();
    void line_too_long(std::string_view line);
    // What a step of the transfer leads to; ask: nothing to hand out, look again, the mode may have changed.
    ServerDo data_step();
    ServerDo chunk_step();
    ServerDo skip_step();
    std::optional<ServerDo> hand_out(bool all);
    bool chunk_beyond_limit(std::size_t octets);
    void refuse_chunk(std::uint64_t size, mail::Reply reply, bool counts);
    void begin_content();
    void end_of_chunk();
    void end_of_message();
    bool sync_point_violated(std::string_view verb);

    void ehlo(std::string_view argument, bool is_extended);
    void mail_from(std::string_view argument);
    void rcpt_to(std::string_view argument);
    void data_command(std::string_view argument);
    void bdat(std::string_view argument);
    void answer_data(const Verdict& verdict);
    void starttls(std::string_view argument);
    void auth(std::string_view argument);
    bool mail_parameters(std::string_view text);
    bool mail_parameter(const mail::Parameter& parameter);
    bool size_parameter(const mail::Parameter& parameter);
    bool body_parameter(const mail::Parameter& parameter);
    bool recipient_parameter(const mail::Parameter& parameter);
    bool bad_parameter(std::string text);
    void answer_helo(const Verdict& verdict);
    void answer_starttls(const Verdict& verdict);
    void answer_mail(const Verdict& verdict);
    void answer_recipient(const Verdict& verdict, bool is_unknown);
};

}  // namespace postern::smtp
