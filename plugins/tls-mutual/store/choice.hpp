// Which of our certificates a connector shows, and why not the others. Pure: the same candidates and moment give the
// same answer, on the command line and in the daemon.
//
// Enabled for SMTP, key present, in date, right purpose, covers the fqdn; then exactly before by wildcard, last
// validation good before unknown before failed, issued by a CA before self-signed, and of those the one that ends last.
#pragma once

#include <postern/own_certificates.hpp>
#include <tls-mutual/store/dns_names.hpp>
#include <tls-mutual/store/entry.hpp>

namespace postern::tls_mutual {

enum class Validation : std::uint8_t { good, unknown, failed };
std::string_view word(Validation);

struct Candidate {
    const StoredCertificate* certificate = nullptr;
    Validation validation = Validation::unknown;
    bool key_present = true;  // false: it lies in a token that does not answer
    std::string why;          // of a validation that is not good
};

struct Ranked {
    const Candidate* candidate = nullptr;
    bool fits = false;
    std::string reason;  // why it is chosen, or stands behind the one before, or does not fit
};

// Those that fit, the chosen one first; then the others.
std::vector<Ranked> rank(const std::vector<Candidate>&, const CertificateWish&, Time now);

// The second one that may stand beside the first of `ranked` for peers that cannot check its kind of key: as good, with
// the other kind. Null for none.
const Candidate* companion(const std::vector<Ranked>& ranked);

// All DNS names that count: those of subjectAltName, else the CN.
std::vector<std::string> names_of(const CertificateFacts&);
Covers covers(const CertificateFacts&, std::string_view host);

}  // namespace postern::tls_mutual
