#include <algorithm>
#include <net/marks.hpp>
#include <net/outbound_body.hpp>
#include <utility>

namespace postern::net {

// The header section has a limit on the way in; with our own fields it fits the first piece.
static constexpr std::size_t first_piece = 512u << 10, piece = 64u << 10;

Outcome<std::string> OutboundBody::stored_piece() {
    if (first_kept_ && offset_ == 0) {
        first_kept_ = false;
        offset_ = std::min<std::uint64_t>(first_piece, stored_size_);
        return std::exchange(first_, {});
    }
    const std::size_t want = offset_ == 0 ? first_piece : piece;
    std::string octets(static_cast<std::size_t>(std::min<std::uint64_t>(want, stored_size_ - offset_)), '\0');
    std::size_t filled = 0;
    while (filled < octets.size()) {
        auto* at = reinterpret_cast<std::uint8_t*>(octets.data()) + filled;
        const auto count = source_->read_at(offset_ + filled, {at, octets.size() - filled});
        if (!count) return count.failure;
        if (*count == 0) return Failure{"spool-damaged", "it ends before its size"};
        filled += *count;
    }
    const bool has_header = std::exchange(offset_, offset_ + octets.size()) == 0;
    return has_header && strips_marks_ ? without_marks(*strips_marks_, octets) : octets;
}

void OutboundBody::rewind() {
    offset_ = given_ = 0;
    writer_ = plan_ ? std::make_unique<mail::Downgrade>(*plan_) : nullptr;
}

std::optional<Failure> OutboundBody::prepare(std::optional<mail::Taken> convert_for) {
    if (convert_for) return plan_conversion(*convert_for);
    auto first = stored_piece();
    if (!first) return first.failure;
    size_ = first->size() + (stored_size_ - offset_);
    first_ = std::move(*first);
    first_kept_ = true;
    offset_ = 0;
    return std::nullopt;
}

std::optional<Failure> OutboundBody::plan_conversion(mail::Taken taken) {
    mail::Downgrade survey(taken);
    while (offset_ < stored_size_) {
        const auto octets = stored_piece();
        if (!octets) return octets.failure;
        survey.feed(*octets);
    }
    survey.finish();
    if (!survey.plan().impossible.empty()) return Failure{"unfit", survey.plan().impossible};
    plan_ = survey.plan();
    return measure();
}

// The converted message is written once to be counted, so that SIZE and BDAT are right.
std::optional<Failure> OutboundBody::measure() {
    size_ = ~std::uint64_t{0};
    rewind();
    std::uint64_t counted = 0;
    while (offset_ < stored_size_) {
        const auto octets = next();
        if (!octets) return octets.failure;
        counted += octets->size();
    }
    size_ = counted;
    rewind();
    return std::nullopt;
}

// All but the beginning and what is converted: neither searched nor changed.
std::optional<std::string> OutboundBody::next_at_once() {
    if (writer_ || offset_ == 0) return std::nullopt;
    std::string octets(static_cast<std::size_t>(std::min<std::uint64_t>(piece, stored_size_ - offset_)), '\0');
    if (!source_->read_at_once(offset_, {reinterpret_cast<std::uint8_t*>(octets.data()), octets.size()}))
        return std::nullopt;
    offset_ += octets.size();
    given_ += octets.size();
    return octets;
}

Outcome<std::string> OutboundBody::next() {
    auto octets = stored_piece();
    if (octets && writer_) {
        writer_->feed(*octets);
        if (offset_ >= stored_size_) writer_->finish();
        *octets = writer_->take_output();
    }
    if (octets) given_ += octets->size();
    return octets;
}

}  // namespace postern::net
