// Any message made fit for a 7-bit server: what comes out holds 7-bit octets and no NUL, however it came in pieces.
#include <cstdlib>
#include <mail/downgrade.hpp>
#include <mail/utf8.hpp>

using namespace postern::mail;

static std::string passed(Downgrade& pass, std::string_view message, std::size_t piece) {
    std::string out;
    while (!message.empty()) {
        pass.feed(message.substr(0, piece));
        message.remove_prefix(std::min(piece, message.size()));
        out += pass.take_output();
    }
    pass.finish();
    return out + pass.take_output();
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 1) return 0;
    const std::string_view message(reinterpret_cast<const char*>(data) + 1, size - 1);
    Downgrade survey(Taken::seven_bit);
    passed(survey, message, data[0] + 1u);
    if (!survey.plan().impossible.empty()) return 0;
    Downgrade in_pieces(survey.plan()), whole(survey.plan());
    const auto out = passed(in_pieces, message, data[0] + 1u);
    if (!is_ascii(out)) std::abort();
    if (out != passed(whole, message, message.size() + 1)) std::abort();
    return 0;
}
