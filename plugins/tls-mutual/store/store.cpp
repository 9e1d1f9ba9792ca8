#include <algorithm>
#include <filesystem>
#include <iterator>
#include <tls-mutual/facts.hpp>
#include <tls-mutual/store/store.hpp>
#include <tls-mutual/store/text.hpp>

namespace postern::tls_mutual {
namespace {

constexpr std::string_view certificate_ending = ".pem", request_ending = ".request.pem";
constexpr std::size_t shortest_prefix = 8;

std::string name_of(const std::string& file) { return std::filesystem::path(file).filename(); }

Failure none_such(const std::string& digits) {
    return {"not-found", "no certificate has the thumbprint " + digits + "; see postern cert list"};
}

// Text that holds a key: wiped when done.
Secret wiped_text(std::string&& text) {
    Secret secret;
    secret.bytes.assign(text.begin(), text.end());
    if (!text.empty()) gnutls_memset(text.data(), 0, text.size());
    return secret;
}

}  // namespace

Outcome<const StoredCertificate*> StoreContents::find(std::string_view thumbprint) const {
    std::string digits;
    for (const char c : lower(thumbprint))
        if (c != ':' && c != ' ') digits += c;
    if (digits.size() < shortest_prefix)
        return Failure{"not-found", "a thumbprint needs 8 hex digits at least; see postern cert list"};
    const StoredCertificate* found = nullptr;
    for (const auto& one : certificates) {
        if (!one.leaf.sha256.starts_with(digits) && !lower(one.leaf.sha1).starts_with(digits)) continue;
        if (found) return Failure{"not-found", digits + " begins several thumbprints; give more digits"};
        found = &one;
    }
    if (!found) return none_such(digits);
    return found;
}

const PendingRequest* StoreContents::request_for(std::string_view key_sha256) const {
    const auto found = std::ranges::find(requests, key_sha256, &PendingRequest::key_sha256);
    return found == requests.end() ? nullptr : &*found;
}

StoreContents CertificateStore::read() const {
    StoreContents contents;
    for (const auto& name : folder_.names()) {
        if (!name.ends_with(certificate_ending)) continue;
        const auto file = folder_.path_of(name);
        auto octets = open(file);
        if (!octets) {
            contents.damaged.push_back(octets.failure);
        } else if (name.ends_with(request_ending)) {
            auto request = read_request_file(octets->text(), file);
            if (request) contents.requests.push_back(std::move(*request));
            else contents.damaged.push_back(request.failure);
        } else {
            auto certificate = read_certificate_file(octets->text(), file);
            if (certificate) contents.certificates.push_back(std::move(*certificate));
            else contents.damaged.push_back(certificate.failure);
        }
    }
    const auto answered = std::ranges::stable_partition(contents.requests, [&](const PendingRequest& request) {
        return std::ranges::none_of(contents.certificates, [&](const StoredCertificate& one) {
            return one.leaf.key_sha256 == request.key_sha256;
        });
    });
    std::ranges::move(answered, std::back_inserter(contents.answered));
    contents.requests.erase(answered.begin(), answered.end());
    return contents;
}

Outcome<Folder::Lock> CertificateStore::lock() const {
    auto lock = folder_.lock();
    if (lock)
        for (const auto& one : read().answered) (void)remove(one);
    return lock;
}

Outcome<Done> CertificateStore::add(const Attributes& about, const std::vector<Bytes>& chain, const Secret& key) const {
    const auto leaf = read_facts(chain.front());
    if (!leaf) return Failure{"store-damaged", "the certificate cannot be read"};
    const auto content = wiped_text(certificate_file(about, chain, key.text()));
    return folder_.put(leaf->sha256 + std::string(certificate_ending), content.text());
}

Outcome<Done> CertificateStore::add_request(const PendingRequest& request, const Secret& key) const {
    const auto content = wiped_text(request_file(request.about, request.der, key.text()));
    return folder_.put(request.key_sha256 + std::string(request_ending), content.text());
}

Outcome<Done> CertificateStore::change(const StoredCertificate& stored, const Attributes& about) const {
    auto file = open(stored.file);
    if (!file) return file.failure;
    const auto content = wiped_text(certificate_file(about, stored.chain, key_block(file->text())));
    return folder_.put(name_of(stored.file), content.text());
}

Outcome<Done> CertificateStore::remove(const StoredCertificate& stored) const {
    return folder_.remove(name_of(stored.file));
}

Outcome<Done> CertificateStore::remove(const PendingRequest& request) const {
    return folder_.remove(name_of(request.file));
}

}  // namespace postern::tls_mutual
