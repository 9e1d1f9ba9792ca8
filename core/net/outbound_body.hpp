// The message as one server gets it: read from the spool in pieces, marks taken off where they must not leave, and
// converted where the server takes less than it holds. Its size is known before the first octet goes. Blocks on the
// disk, next_at_once() apart: used on the pool. Knows no SMTP.
#pragma once

#include <config/settings.hpp>
#include <mail/downgrade.hpp>
#include <optional>
#include <queue/spool.hpp>

namespace postern::net {

class OutboundBody {
public:
    OutboundBody(Ref<queue::StoredBody> source, std::uint64_t stored_size, const config::Settings* strips_marks)
        : source_(std::move(source)), stored_size_(stored_size), strips_marks_(strips_marks) {}

    // Nothing: it can be sent. Else what is wrong; the token is "unfit" where it cannot be converted, "spool-damaged"
    // where it cannot be read.
    std::optional<Failure> prepare(std::optional<mail::Taken> convert_for);
    std::uint64_t size() const { return size_; }
    Outcome<std::string> next();
    std::optional<std::string> next_at_once();  // nothing: it would take its time, ask next()
    bool ended() const { return given_ >= size_; }

private:
    Outcome<std::string> stored_piece();
    std::optional<Failure> plan_conversion(mail::Taken taken);
    std::optional<Failure> measure();
    void rewind();

    Ref<queue::StoredBody> source_;
    std::uint64_t stored_size_;
    const config::Settings* strips_marks_;
    std::uint64_t offset_ = 0, size_ = 0, given_ = 0;
    std::string first_;  // read when the size was found out
    bool first_kept_ = false;
    std::optional<mail::DowngradePlan> plan_;
    std::unique_ptr<mail::Downgrade> writer_;
};

}  // namespace postern::net
