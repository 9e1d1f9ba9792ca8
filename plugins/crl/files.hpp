// The lists under `files`: each a file or a folder of files, PEM or DER.
#pragma once

#include <crl/known_list.hpp>
#include <functional>

namespace postern::crl {

// What cannot be read or decoded is told by name and left out.
std::vector<KnownListRef> read_files(const std::vector<std::string>& paths,
                                     const std::function<void(std::string)>& problem);

}  // namespace postern::crl
