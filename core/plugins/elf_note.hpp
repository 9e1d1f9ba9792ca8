// Reads a plugin's descriptor from the open file, before dlopen would run its constructors. Every offset of the file is
// a stranger's until it was held against the file's size.
#pragma once

#include <base/failure.hpp>
#include <postern/abi.hpp>

namespace postern::plugins {

// The failure says what is wrong with the file and what to do.
Result<PluginDescriptor> read_descriptor(int file);

// Empty, or why this host cannot take a plugin with that descriptor.
std::string refusal(const PluginDescriptor& descriptor);

}  // namespace postern::plugins
