// Lets through what answers our one question and nothing else: each message that a directory sends is looked at by its
// first octets, as it comes, before libldap sees them.
//
// libldap 2.5 loses the memory of a notice of disconnection (RFC 4511 4.4.1), however large, and keeps answers that
// nobody asked for. A directory of strangers could fill ours with both. Pure.
#pragma once

#include <postern/types.hpp>

namespace postern::crl {

class LdapGate {
public:
    // False once a message is none (RFC 4511 4.1.1: SEQUENCE, length, then our messageID, which is 1).
    bool pass(BytesView octets);

private:
    bool take(std::uint8_t octet);

    enum class Place { tag, length, more_length, id_tag, id_length, id, rest };
    Place place_ = Place::tag;
    unsigned length_octets_ = 0;  // still to come
    std::uint64_t left_ = 0;      // of the message
};

}  // namespace postern::crl
