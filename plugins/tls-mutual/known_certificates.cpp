#include <tls-mutual/known_certificates.hpp>

namespace postern::tls_mutual {

static std::string_view octets_of(BytesView der) { return {reinterpret_cast<const char*>(der.data()), der.size()}; }

std::shared_ptr<const KnownCertificate> KnownCertificates::find(BytesView der) {
    std::lock_guard lock(mutex_);
    const auto found = by_octets_.find(octets_of(der));
    if (found == by_octets_.end()) return nullptr;
    entries_.splice(entries_.begin(), entries_, found->second);
    return *found->second;
}

void KnownCertificates::keep(KnownCertificate certificate) {
    if (certificate.facts.der.size() > longest) return;
    auto fresh = std::make_shared<const KnownCertificate>(std::move(certificate));
    const auto key = octets_of(fresh->facts.der);
    std::lock_guard lock(mutex_);
    if (const auto before = by_octets_.find(key); before != by_octets_.end()) {
        const auto entry = before->second;
        by_octets_.erase(before);
        entries_.erase(entry);
    }
    entries_.push_front(std::move(fresh));
    by_octets_.emplace(key, entries_.begin());
    if (entries_.size() <= most) return;
    by_octets_.erase(octets_of(entries_.back()->facts.der));
    entries_.pop_back();
}

std::size_t KnownCertificates::size() const {
    std::lock_guard lock(mutex_);
    return entries_.size();
}

}  // namespace postern::tls_mutual
