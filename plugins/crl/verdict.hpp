// What the lists at hand say about certificates: RFC 5280 6.3. Pure; knows no cache, no network.
#pragma once

#include <crl/known_list.hpp>
#include <crl/signers.hpp>
#include <functional>

namespace postern::crl {

struct Terms {
    Time at{};
    std::chrono::seconds grace{0};
    RevocationSource source = RevocationSource::except_short_lived;
    Profile profile = Profile::modern;
};

// One path under question. A list counts where a signer of its issuer's name made it who ends in the path's own anchor
// and is not revoked itself: his certificates are decided by the same lists, and whoever is being decided already is
// taken to stand (a CRL issuer may vouch for itself, as PKITS 4.14.30 has it).
class Deciding {
public:
    using Lists = std::function<std::vector<KnownListRef>(const x509::Name& issuer)>;
    // `path`: leaf first, anchor last. `pool`: other certificates that signers may stand among.
    Deciding(std::vector<x509::Certificate> path, const std::vector<x509::Certificate>& pool, Lists lists, Terms terms);
    Deciding(const Deciding&) = delete;
    Deciding& operator=(const Deciding&) = delete;

    // Of the path; unknown or unusable where the lists do not suffice.
    CertificateRevocation decide(std::size_t index) { return about(path_[index]); }
    // Of another certificate under the same anchor, which is kept.
    CertificateRevocation decide(const x509::Certificate& other);
    // Those asked about so far whose lists did not suffice: of the path, and signers of lists.
    std::vector<const x509::Certificate*> undecided() const;
    // Whose signature a list for this certificate may bear; the path's own come first.
    std::vector<Bytes> signers_for(const x509::Certificate& certificate);
    // Deltas that the certificate, or a list that speaks of it, points to (freshestCRL).
    std::vector<std::string> delta_urls(const x509::Certificate& certificate) const;
    // The lists have changed.
    void again() {
        answers_.clear();
        signature_checks_ = 0;
    }
    const std::vector<x509::Certificate>& path() const { return path_; }

private:
    friend struct Search;
    CertificateRevocation about(const x509::Certificate& certificate);  // of path_ or pool_
    std::vector<KnownListRef> lists_for(const x509::Certificate& certificate) const;
    // Whether a signer made the list and stands; else `why` says what is wrong.
    bool believed(const KnownList& known, std::string& why);
    std::string fault_of(const Signer& signer);

    const std::vector<x509::Certificate> path_;
    x509::CertificateIndex pool_;
    Lists lists_;
    Terms terms_;
    Signers signers_;
    std::map<const x509::Certificate*, std::optional<CertificateRevocation>> answers_;  // empty: being decided
    std::size_t depth_ = 0, signature_checks_ = 0;
};

inline constexpr std::chrono::minutes clock_skew{5};
// A list without nextUpdate is good until the next one is asked for.
inline constexpr std::chrono::hours without_next_update{24};

std::string date(Time time);  // "2026-10-02 14:00Z"

}  // namespace postern::crl
