// Who may have signed a list (RFC 5280 6.3.3 f): certificates under the list issuer's name whose path ends in the
// anchor of the path that is judged. Those of that path come first; beside it a CA's other key or a CRL issuer is found
// by the path builder among what the peer sent and what is known here. Whether such a signer is itself revoked is
// verdict.cpp's question.
#pragma once

#include <map>
#include <postern/trust.hpp>
#include <x509/path_search.hpp>

namespace postern::crl {

struct Signer {
    std::vector<const x509::Certificate*> path;  // the signer first, the anchor last
    bool of_judged_path = false;
    const x509::Certificate& certificate() const { return *path.front(); }
};

class Signers {
public:
    // `path`: leaf first, anchor last. `pool`: what else may be part of a signer's path. Both outlive this.
    Signers(std::span<const x509::Certificate> path, const x509::CertificateIndex& pool, Time at, Profile profile);

    const std::vector<Signer>& named(const x509::Name& issuer);
    bool in_judged_path(const x509::Certificate& certificate) const;

private:
    std::vector<Signer> find(const x509::Name& issuer) const;

    std::span<const x509::Certificate> path_;
    const x509::CertificateIndex& pool_;
    x509::CertificateIndex anchor_, between_;
    x509::PathTerms terms_;
    std::map<std::string, std::vector<Signer>> found_;
};

}  // namespace postern::crl
