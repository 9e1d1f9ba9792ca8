// A stapled OCSP response as evidence about the leaf (RFC 6960 3.2, 4.2.2.2): made by its issuer or by whom that issuer
// certified for it, about this certificate, and fresh. Pure.
#pragma once

#include <crl/verdict.hpp>

namespace postern::crl {

struct StapleSays {
    std::optional<CertificateRevocation> answer;  // good, revoked or on hold
    std::string why_not;                          // else why the staple is of no use; empty where there is none
};

// `deciding`: of the leaf's path; a responder that is not to be trusted blindly (ocsp-nocheck) is looked up there.
StapleSays read_staple(BytesView staple, Deciding& deciding, const Terms& terms);

}  // namespace postern::crl
