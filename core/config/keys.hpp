// The one table of the configuration: every key, where it stands, its kind, default and explanation. Loading checks
// against it, docs/configuration.md is generated from it.
#pragma once

#include <postern/host.hpp>
#include <span>
#include <string>
#include <string_view>

namespace postern::config {

struct Key {
    std::string_view where;  // "" for the top, else the block: "receive_connector", "retry" ...
    std::string_view name;
    KeyKind kind;
    std::string_view otherwise;  // default, as it would be written; empty = none
    std::string_view explanation;
    bool many = false;     // may stand more than once (named blocks)
    bool restart = false;  // a reload does not take it up; not_before_start() of app/ compares these
};

std::span<const Key> keys();
const Key* find_key(std::string_view where, std::string_view name);
// " (did you mean NAME?)" where a known name is near, else nothing.
std::string suggestion(std::string_view where, std::string_view name);
std::string nearest(std::string_view name, const std::vector<std::string>& known);
std::string reference_page();

}  // namespace postern::config
