#include <algorithm>
#include <mail/downgrade.hpp>
#include <mail/header.hpp>
#include <mail/utf8.hpp>
#include <utility>

namespace postern::mail {

namespace {
constexpr std::size_t longest_segment = 64u << 10, longest_header = 256u << 10, deepest = 50;
constexpr std::size_t longest_line = 998;  // RFC 5322 2.1.1
enum class Within : std::uint8_t { header, leaf, between };
}  // namespace

struct Downgrade::State {
    DowngradePlan plan;
    bool writing = false;
    std::string pending, out;
    bool at_line_start = true;

    // Entities from the outermost to the one whose body is read; those without a boundary end with what is around them.
    struct Open {
        std::string boundary;
        bool is_signed = false;
    };
    std::vector<Open> open;
    Within within = Within::header;
    std::string header;
    bool top = true;  // the header section under way is the message's own

    Entity leaf;
    std::size_t leaf_number = 0;
    bool leaf_eight_bit = false, leaf_binary = false, line_end_held = false;
    std::size_t column = 0;
    std::unique_ptr<Encoder> encoder;

    void segment(std::string_view text, bool ends);
    bool delimiter(std::string_view line);
    void header_line(std::string_view line);
    void end_header(bool whole);
    void begin_leaf();
    void in_leaf(std::string_view text, bool ends);
    void end_leaf(bool of_message);
    void impossible(std::string why) {
        if (plan.impossible.empty()) plan.impossible = std::move(why);
    }
    std::string relabelled(const Entity& entity, Encoding encoding) const;
    bool is_signed() const {
        return std::any_of(open.begin(), open.end(), [](const Open& one) { return one.is_signed; });
    }
};

Downgrade::Downgrade(Taken taken) : state_(std::make_unique<State>()) { state_->plan.taken = taken; }
Downgrade::Downgrade(DowngradePlan plan) : state_(std::make_unique<State>()) {
    state_->plan = std::move(plan);
    state_->writing = true;
}
Downgrade::~Downgrade() = default;
const DowngradePlan& Downgrade::plan() const { return state_->plan; }
std::string Downgrade::take_output() { return std::exchange(state_->out, {}); }

void Downgrade::feed(std::string_view octets) {
    auto& s = *state_;
    s.pending += octets;
    std::string_view rest = s.pending;
    for (std::size_t end; (end = rest.find("\r\n")) != std::string_view::npos;) {
        s.segment(rest.substr(0, end), true);
        rest.remove_prefix(end + 2);
    }
    // Binary data may hold no line end for long; the last octet may be the CR of one.
    if (rest.size() > longest_segment) {
        s.segment(rest.substr(0, rest.size() - 1), false);
        rest.remove_prefix(rest.size() - 1);
    }
    s.pending.erase(0, s.pending.size() - rest.size());
    if (!s.writing) s.out.clear();
}

void Downgrade::finish() {
    auto& s = *state_;
    if (!s.pending.empty()) s.segment(std::exchange(s.pending, {}), false);
    if (s.within == Within::header) s.end_header(false);
    if (s.within == Within::leaf) s.end_leaf(true);
}

void Downgrade::State::segment(std::string_view text, bool ends) {
    const bool starts = std::exchange(at_line_start, ends);
    if (starts && delimiter(text)) {
        out.append(text).append(ends ? "\r\n" : "");
        return;
    }
    switch (within) {
        case Within::header:
            header_line(text);
            break;
        case Within::leaf:
            in_leaf(text, ends);
            break;
        case Within::between:
            if (plan.taken == Taken::seven_bit && !is_ascii(text)) impossible("8-bit octets stand between its parts");
            out.append(text).append(ends ? "\r\n" : "");
    }
}

// RFC 2046 5.1.1: the delimiter of any multipart around ends all that is within it.
bool Downgrade::State::delimiter(std::string_view line) {
    if (!line.starts_with("--")) return false;
    for (auto depth = open.size(); depth-- > 0;) {
        const auto& boundary = open[depth].boundary;
        if (boundary.empty() || line.substr(2, boundary.size()) != boundary) continue;
        auto rest = line.substr(2 + boundary.size());
        const bool last = rest.starts_with("--");
        if (last) rest.remove_prefix(2);
        if (rest.find_first_not_of(" \t") != std::string_view::npos) continue;
        if (within == Within::header) end_header(false);
        if (within == Within::leaf) end_leaf(false);
        open.resize(last ? depth : depth + 1);
        within = last ? Within::between : Within::header;
        return true;
    }
    return false;
}

void Downgrade::State::header_line(std::string_view line) {
    if (line.empty()) return end_header(true);
    if (plan.taken == Taken::seven_bit && !is_ascii(line)) impossible("a header section holds 8-bit octets");
    header.append(line).append("\r\n");
    if (header.size() > longest_header) {
        impossible("a header section is too long");
        header.clear();
    }
}

// `whole`: an empty line ended it, and a body follows.
void Downgrade::State::end_header(bool whole) {
    const auto entity = entity_of(header);
    if (open.size() >= deepest) impossible("its parts are nested too deep");
    // RFC 6532 3.7: what has an internationalised header section is encoded as a whole, since that cannot be touched.
    const bool as_a_whole = entity.subtype == "global" && plan.taken == Taken::seven_bit;
    const bool nested = entity.multipart() || (entity.nested_message() && !as_a_whole);
    if (entity.identity() && plan.impossible.empty() && nested) {
        out += relabelled(entity, Encoding::none) + (whole ? "\r\n" : "");
        open.push_back({entity.multipart() ? entity.boundary : std::string(), entity.subtype == "signed"});
        within = entity.multipart() ? Within::between : Within::header;
    } else {
        leaf = entity;
        begin_leaf();
        const auto encoding = writing ? plan.leaves.at(leaf_number) : Encoding::none;
        out += relabelled(entity, encoding) + (whole ? "\r\n" : "");
        encoder = std::make_unique<Encoder>(encoding, out);
        within = Within::leaf;
    }
    header.clear();
    top = false;
}

void Downgrade::State::begin_leaf() {
    leaf_eight_bit = leaf_binary = line_end_held = false;
    column = 0;
}

// The field that names the encoding says what the body is now; everything else stays.
std::string Downgrade::State::relabelled(const Entity& entity, Encoding encoding) const {
    std::string label;
    if (encoding == Encoding::quoted_printable) label = "quoted-printable";
    else if (encoding == Encoding::base64) label = "base64";
    else if (entity.encoding == "binary" || (entity.encoding == "8bit" && plan.taken == Taken::seven_bit))
        label = plan.taken == Taken::seven_bit ? "7bit" : "8bit";
    if (label.empty()) return header;
    auto text = without(header, [](const HeaderField& field) { return named(field, "Content-Transfer-Encoding"); });
    // RFC 1428: the sender did not say what its octets mean.
    if (top && !entity.is_mime) text += "MIME-Version: 1.0\r\n";
    if (top && !entity.says_type) text += "Content-Type: text/plain; charset=unknown-8bit\r\n";
    return text + "Content-Transfer-Encoding: " + label + "\r\n";
}

void Downgrade::State::in_leaf(std::string_view text, bool ends) {
    if (!writing) {
        leaf_eight_bit |= !is_ascii(text);
        column += text.size();
        leaf_binary |=
            text.find('\0') != std::string_view::npos || text.find_first_of("\r\n") != std::string_view::npos;
        // Long lines that came as text are passed on as text; only binary data has to be cut.
        leaf_binary |= leaf.encoding == "binary" && column > longest_line;
        if (ends) column = 0;
        return;
    }
    if (std::exchange(line_end_held, false)) encoder->line_end();
    encoder->octets(text);
    // It may belong to the delimiter that follows, not to the part.
    line_end_held = ends;
}

void Downgrade::State::end_leaf(bool of_message) {
    if (writing) {
        encoder->finish();
        if (line_end_held || of_message) out += "\r\n";
        encoder.reset();
        ++leaf_number;
        return;
    }
    const bool needed = leaf_binary || (leaf_eight_bit && plan.taken == Taken::seven_bit);
    const bool text = leaf.type == "text" && !leaf_binary;
    plan.leaves.push_back(!needed ? Encoding::none : text ? Encoding::quoted_printable : Encoding::base64);
    if (!needed) return;
    // RFC 1847 2.1: a signature covers the encoded octets.
    if (is_signed()) impossible("a signed part would no longer be what was signed");
    // RFC 6533 4, 6: the types for other than ASCII may be encoded, those of RFC 2046 not.
    const bool encodable = leaf.subtype.starts_with("global");
    if ((leaf.type == "message" && !encodable) || leaf.type == "multipart")
        impossible("a part of type " + leaf.type + "/" + leaf.subtype + " cannot be encoded");
    if (!leaf.identity()) impossible("a part that says " + leaf.encoding + " holds other octets");
}

}  // namespace postern::mail
