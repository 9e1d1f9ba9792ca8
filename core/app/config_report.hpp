// The configuration as it is understood, as JSON: what `postern config show --json` prints, and how the daemon tells
// the command line what is in force.
#pragma once

#include <config/understood.hpp>

namespace postern::app {

std::string as_json(const std::vector<config::Understood>& all);
// Nothing where the text is not of that form.
std::optional<std::vector<config::Understood>> from_json(std::string_view text);

}  // namespace postern::app
