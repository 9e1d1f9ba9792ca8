// Which messages an administrator means: by id, domain, sender, age, state, or what the last attempt said.
#pragma once

#include <optional>
#include <queue/spool.hpp>
#include <string>
#include <vector>

namespace postern::queue {

struct Selection {
    std::vector<std::string> ids;
    std::string domain;                 // of a recipient
    std::optional<std::string> sender;  // the whole address, or @domain; empty: the null sender
    std::string reason;                 // somewhere in status or text of the last attempt
    std::optional<std::chrono::seconds> older, younger;
    bool held = false, all = false;
    std::string after;  // those behind this id alone: a list in pieces

    bool empty() const;
    // Of all that is asked for; a message without recipients that fit does not.
    bool takes(const QueuedMessage& message, Time now) const;
    // Nothing is asked that the id alone does not answer.
    bool takes_any() const;
};

// "90s", "15m", "4h", "2d"; a bare number is seconds.
std::optional<std::chrono::seconds> parse_age(std::string_view text);

}  // namespace postern::queue
