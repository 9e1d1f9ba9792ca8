// The catalogue of everything that the core logs: stable id, severity, and what an operator should make of it.
// docs/messages.md is generated from it; tools/check refuses an id that is logged and not listed.
#pragma once

#include <postern/host.hpp>
#include <span>
#include <string>
#include <string_view>

namespace postern {

struct Message {
    std::string_view id;
    Severity severity;
    std::string_view explanation;
};

std::span<const Message> messages();
const Message* find_message(std::string_view id);
std::string message_page();  // docs/messages.md

}  // namespace postern
