// The extensions of a certificate: one reader each, found by OID; and those that lists have too. Only certificate.cpp
// and crl.cpp call this.
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

// authorityInfoAccess of a certificate or a list (RFC 5280 4.2.2.1, 5.2.7): URIs alone. False where malformed.
struct InformationAccess {
    std::vector<std::string> ca_issuers, ocsp;
};
bool read_information_access(Reader value, InformationAccess& access);

}  // namespace postern::x509
