// What the header section of a MIME entity says about its body (RFC 2045): type, boundary, transfer encoding.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace postern::mail {

struct Entity {
    std::string type = "text", subtype = "plain";  // lower case
    std::string boundary;                          // of a multipart
    std::string encoding = "7bit";                 // lower case, as written
    bool says_type = false, says_encoding = false, is_mime = false;

    bool multipart() const { return type == "multipart" && !boundary.empty(); }
    bool nested_message() const { return type == "message" && (subtype == "rfc822" || subtype == "global"); }
    // The body is what it is: nothing has to be decoded to read it.
    bool identity() const { return encoding == "7bit" || encoding == "8bit" || encoding == "binary"; }
};

Entity entity_of(std::string_view header);

}  // namespace postern::mail
