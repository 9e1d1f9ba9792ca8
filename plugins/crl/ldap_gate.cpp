#include <algorithm>
#include <crl/ldap_gate.hpp>

namespace postern::crl {

bool LdapGate::pass(BytesView octets) {
    while (!octets.empty()) {
        if (place_ != Place::rest) {
            if (!take(octets.front())) return false;
            octets = octets.subspan(1);
            continue;
        }
        const auto count = std::min<std::uint64_t>(left_, octets.size());
        left_ -= count;
        octets = octets.subspan(static_cast<std::size_t>(count));
        if (left_ == 0) place_ = Place::tag;
    }
    return true;
}

// The messageID in its shortest form, three octets: what every directory writes.
bool LdapGate::take(std::uint8_t octet) {
    switch (place_) {
        case Place::tag:
            place_ = Place::length;
            return octet == 0x30;
        case Place::length:
            length_octets_ = octet & 0x80 ? octet & 0x7f : 0;
            left_ = octet & 0x80 ? 0 : octet;
            place_ = length_octets_ > 0 ? Place::more_length : Place::id_tag;
            return octet != 0x80 && length_octets_ <= 4;
        case Place::more_length:
            left_ = left_ << 8 | octet;
            if (--length_octets_ == 0) place_ = Place::id_tag;
            return true;
        case Place::id_tag:
            place_ = Place::id_length;
            return octet == 0x02 && left_ > 3;
        case Place::id_length:
            place_ = Place::id;
            return octet == 1;
        case Place::id:
            left_ -= 3;
            place_ = Place::rest;
            return octet == 1;
        case Place::rest:
            break;
    }
    return false;
}

}  // namespace postern::crl
