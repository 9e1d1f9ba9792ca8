// DATA and BDAT (RFC 5321 4.1.1.4, RFC 3030 2): when the message may come, and what is said once it is there.
#include <charconv>
#include <smtp/server_state.hpp>

namespace postern::smtp {

using State = ServerSession::State;

// Beyond the message size a refused BDAT is swallowed so far, so that the session can go on.
static constexpr std::uint64_t swallowed_beyond = 1u << 20;

void State::begin_content() {
    content =
        std::make_unique<Content>(settings.limits, settings.normalize_bare_newlines, transaction.body == Body::binary);
    data = {};
    chunks = {};
    body_given = data_ended = false;
}

void State::data_command(std::string_view argument) {
    if (sync_point_violated("DATA")) return;
    if (!argument.empty()) return error(501, "5.5.4", "DATA takes no argument");
    if (!in_transaction) return error(503, "5.5.1", "say MAIL first");
    if (content) return error(503, "5.5.1", "BDAT is under way");
    // RFC 3030 3: lines and dots mean nothing in binary data.
    if (transaction.body == Body::binary) return error(503, "5.5.1", "BODY=BINARYMIME wants BDAT");
    if (transaction.recipients.empty()) return error(554, "5.5.1", "no valid recipients");
    chunked = false;
    ask(ServerPhase::data);
}

namespace {
struct Chunk {
    std::uint64_t size = 0;
    bool last = false;
};

std::optional<Chunk> parse_chunk(std::string_view argument) {
    const auto digits = argument.substr(0, argument.find(' '));
    auto word = argument.substr(digits.size());
    while (word.starts_with(' ')) word.remove_prefix(1);
    Chunk chunk;
    const auto [stop, bad] = std::from_chars(digits.data(), digits.data() + digits.size(), chunk.size);
    if (bad != std::errc() || stop != digits.data() + digits.size()) return std::nullopt;
    chunk.last = word.size() == 4 && mail::split_command(word).verb == "LAST";
    return word.empty() || chunk.last ? std::optional(chunk) : std::nullopt;
}
}  // namespace

void State::bdat(std::string_view argument) {
    const auto chunk = parse_chunk(argument);
    if (!chunk) {
        const bool more = !input.empty();
        if (settings.chunking && extended) error(501, "5.5.4", "BDAT wants a number of octets, and LAST or nothing");
        else error(502, "5.5.1", "BDAT is not offered here");
        // What stands behind it may be data: it cannot be told from commands.
        if (more && mode != Mode::closed) close_with("4.7.0", "closing");
        return;
    }
    chunked = true;
    if (settings.chunking && helo.empty()) return refuse_chunk(chunk->size, {503, "5.5.1", "say EHLO first"}, true);
    if (!settings.chunking || !extended)
        return refuse_chunk(chunk->size, {502, "5.5.1", "BDAT is not offered here"}, true);
    if (transfer_refused) return refuse_chunk(chunk->size, {503, "5.5.1", "the message was refused"}, false);
    if (!in_transaction) return refuse_chunk(chunk->size, {503, "5.5.1", "say MAIL first"}, !refused_in_group);
    if (transaction.recipients.empty())
        return refuse_chunk(chunk->size, {554, "5.5.1", "no valid recipients"}, !refused_in_group);
    if (content) {
        chunks.begin(chunk->size, chunk->last);
        mode = Mode::chunk;
        return;
    }
    chunks.begin(chunk->size, chunk->last);
    ask(ServerPhase::data);
}

void State::answer_data(const Verdict& verdict) {
    if (!chunked) {
        if (verdict.kind != VerdictKind::proceed) return say(mail::checked(verdict), true);
        begin_content();
        mode = Mode::data;
        return say({354, {}, "End data with <CRLF>.<CRLF>"}, false);
    }
    if (verdict.kind != VerdictKind::proceed) {
        chunk_refusal = mail::checked(verdict);
        refusal_counts = false;
        mode = Mode::skip_chunk;
        return;
    }
    auto begun = std::move(chunks);
    begin_content();
    chunks = std::move(begun);
    mode = Mode::chunk;
}

void State::refuse_chunk(std::uint64_t size, mail::Reply reply, bool counts) {
    chunks.begin(size, false);
    chunk_refusal = std::move(reply);
    refusal_counts = counts;
    mode = Mode::skip_chunk;
}

bool State::chunk_beyond_limit(std::size_t octets) {
    chunk_octets += octets;
    if (chunk_octets <= settings.limits.message_size + swallowed_beyond) return false;
    input.clear();
    close_with("4.7.0", "will not read so much of a refused message");
    return true;
}

ServerDo State::skip_step() {
    const auto before = input.size();
    const bool whole = chunks.skip(input);
    if (chunk_beyond_limit(before - input.size())) return ServerDo::ask;
    if (!whole) return ServerDo::read;
    ++taken;
    mode = Mode::command;
    const auto refusal = *std::exchange(chunk_refusal, {});
    if (refusal_counts) {
        error(refusal.code, refusal.enhanced, refusal.lines.front());
    } else {
        say(refusal, true);
        // RFC 3030 2: the chunks that were sent behind a refused one fail as well.
        if (in_transaction) forget_transaction();
        transfer_refused = true;
    }
    return ServerDo::ask;
}

// The header section once it is whole, then the body as it comes; `all`: what there is, however little.
std::optional<ServerDo> State::hand_out(bool all) {
    if (content->fault() || !content->header_complete()) return std::nullopt;
    if (!body_given) {
        body_given = true;
        handed_out = std::exchange(content->header(), {});
        mode = Mode::header_out;
        return ServerDo::header;
    }
    if (content->piece().empty() || !(all || content->piece_full())) return std::nullopt;
    handed_out = std::exchange(content->piece(), {});
    mode = Mode::body_out;
    return ServerDo::body;
}

ServerDo State::data_step() {
    if (!data_ended) data_ended = data.take(input, *content);
    // A message that ended within its header section: complete it, then hand it out as any other.
    if (data_ended) content->finish();
    if (const auto what = hand_out(data_ended || input.empty())) return *what;
    if (!data_ended) return ServerDo::read;
    end_of_message();
    return ServerDo::ask;
}

ServerDo State::chunk_step() {
    const auto before = input.size();
    const bool whole = chunks.take(input, *content);
    if (chunk_beyond_limit(before - input.size())) return ServerDo::ask;
    if (const auto what = hand_out(whole && chunks.last())) return *what;
    if (!whole) return input.empty() ? ServerDo::read : ServerDo::ask;
    end_of_chunk();
    return ServerDo::ask;
}

void State::end_of_chunk() {
    if (chunks.last()) return end_of_message();
    mode = Mode::command;
    // Bad text is read to the true end; what no later chunk can mend is told now.
    if (const auto& fault = content->fault(); fault && fault->enhanced != "5.6.0") {
        say(*fault, true);
        forget_transaction();
        transfer_refused = true;
        return;
    }
    reply(250, "2.0.0", "octets received");
}

void State::end_of_message() {
    ++taken;
    data_ended = false;
    if (content->fault()) {
        say(*content->fault(), true);
        forget_transaction();
        mode = Mode::command;
        return;
    }
    transaction.has_bare_eight_bit = content->eight_bit();
    transaction.eight_bit_header = content->eight_bit_header();
    phase = ServerPhase::data;
    mode = Mode::commit;
}

}  // namespace postern::smtp
