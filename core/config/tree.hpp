// INFO text to a tree that knows its lines. Boost.PropertyTree says what the text means; the location pass beside it
// says where, and the two must agree. #include and conf.d are handled here, since PropertyTree resolves them against
// the working folder.
#pragma once

#include <config/settings.hpp>

namespace postern::config {

// The top node's children are the file's keys. Problems are appended; the tree holds what could be read.
SettingsNode read_tree(const std::string& file, std::vector<ConfigProblem>& problems);

}  // namespace postern::config
