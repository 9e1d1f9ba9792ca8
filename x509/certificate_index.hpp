// Certificates found by their subject: anchors, local intermediates, what a peer sent. Filled once, then only read, by
// any number of threads. A certificate that is there already is not added twice.
#pragma once

#include <deque>
#include <unordered_map>
#include <unordered_set>
#include <vector>
#include <x509/certificate.hpp>

namespace postern::x509 {

class CertificateIndex {
public:
    CertificateIndex() = default;
    CertificateIndex(const CertificateIndex&) = delete;
    CertificateIndex& operator=(const CertificateIndex&) = delete;

    void add(Certificate certificate);
    // In the order in which they were added; valid as long as the index lives.
    const std::vector<const Certificate*>& named(const Name& subject) const;
    // The one of these octets, or null.
    const Certificate* holds(BytesView der) const;
    std::size_t size() const { return certificates_.size(); }

private:
    std::deque<Certificate> certificates_;  // a deque: what points into it stays
    std::unordered_map<std::string, std::vector<const Certificate*>> by_subject_;
    std::unordered_set<std::string_view> known_;
};

}  // namespace postern::x509
