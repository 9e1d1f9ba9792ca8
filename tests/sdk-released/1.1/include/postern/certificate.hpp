// What a certificate says, read once by the one strict DER reader and passed around as plain facts.
#pragma once

#include <postern/types.hpp>

namespace postern {

struct CertificateFacts {
    Bytes der;
    std::string subject;  // RFC 4514 text, most specific first: "CN=mail1.contoso.com, O=Contoso, C=US"
    std::string issuer;
    std::string serial;      // upper-case hex, no separators
    std::string sha1;        // upper-case hex: for display only (the paper's "thumbprint")
    std::string sha256;      // lower-case hex: what pins and logs use
    std::string key_sha256;  // lower-case hex of the SubjectPublicKeyInfo
    Time not_before{};
    Time not_after{};
    std::vector<std::string> dns_names;     // subjectAltName dNSName, raw octets, in the certificate's order
    std::vector<std::string> common_names;  // subject CNs as UTF-8, raw
    bool has_alternative_names = false;     // a subjectAltName extension is present, whatever it holds
    bool client_purpose = false;            // EKU: clientAuth, anyExtendedKeyUsage or no EKU at all
    bool server_purpose = false;            // EKU: serverAuth, anyExtendedKeyUsage or no EKU at all
    bool self_issued = false;
    std::vector<std::string> crl_urls;  // distribution points' URIs, in order
};

}  // namespace postern
