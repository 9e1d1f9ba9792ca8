// From what was found to the Judgement that is answered: pure.
#pragma once

#include <postern/trust.hpp>
#include <x509/path_validation.hpp>

namespace postern::tls_mutual {

Judgement invalid(std::string reason, std::string sentence);
// A valid path whose certificates `answers` cleared; null: revocation was not looked at.
Judgement valid(const x509::Path& path, const std::vector<CertificateRevocation>* answers);
// The worst certificate decides. soft: what could not be found out does not matter, what is revoked does.
Judgement weigh_revocation(const x509::Path& path, const Outcome<std::vector<CertificateRevocation>>& answers,
                           RevocationMode mode);
// Puts the certificates' facts into judgement.path.
void describe(const std::vector<const x509::Certificate*>& certificates, Judgement& judgement);

}  // namespace postern::tls_mutual
