#include <x509/certificate_index.hpp>

namespace postern::x509 {

void CertificateIndex::add(Certificate certificate) {
    // The octets are shared by all copies, so the view outlives the move.
    if (!known_.insert(text(certificate.der())).second) return;
    const auto& kept = certificates_.emplace_back(std::move(certificate));
    by_subject_[kept.subject.key()].push_back(&kept);
}

const std::vector<const Certificate*>& CertificateIndex::named(const Name& subject) const {
    static const std::vector<const Certificate*> nobody;
    const auto found = by_subject_.find(subject.key());
    return found == by_subject_.end() ? nobody : found->second;
}

const Certificate* CertificateIndex::holds(BytesView der) const {
    if (!known_.contains(text(der))) return nullptr;
    for (const auto& one : certificates_)
        if (equal(one.der(), der)) return &one;
    return nullptr;
}

}  // namespace postern::x509
