// The extensions of a certificate: one reader each, found by OID. Only certificate.cpp calls this.
#pragma once

#include <x509/certificate.hpp>

namespace postern::x509 {

// `list` is the SEQUENCE OF Extension. Returns what is malformed, or nothing. A repeated extension is malformed.
std::string read_extensions(const Element& list, Certificate& certificate);

// One Extension of a certificate, a CRL or a CRL entry.
struct Extension {
    BytesView oid;
    bool critical = false;
    BytesView value;
};
std::optional<Extension> read_extension(const Element&);

}  // namespace postern::x509
