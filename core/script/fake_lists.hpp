// The secure lists that a test of a script works with.
#pragma once

#include <policy/secure_list.hpp>

namespace postern::script {

struct FakeLists {
    policy::SecureList send, receive;
};

// Adds a domain, or one with a leading dot, in canonical form; false where the text is neither.
bool add_entry(policy::SecureList& list, std::string_view text);

}  // namespace postern::script
