// Our own certificates with their keys, and the requests that wait for an answer: one file each in one folder.
//
// It keeps and finds; what may be made, imported or removed is the commands' to decide. Changes want the folder's lock.
#pragma once

#include <tls-mutual/key_file.hpp>
#include <tls-mutual/store/entry.hpp>
#include <tls-mutual/store/folder.hpp>

namespace postern::tls_mutual {

struct StoreContents {
    std::vector<StoredCertificate> certificates;
    std::vector<PendingRequest> requests;
    std::vector<PendingRequest> answered;  // their certificate is here: a command was killed before it took them out
    std::vector<Failure> damaged;          // files that cannot be read; the others are in use all the same

    // By SHA-256, SHA-1 or the beginning of either (8 digits at least; colons and blanks do not count). The failure
    // says whether there is none or more than one.
    Outcome<const StoredCertificate*> find(std::string_view thumbprint) const;
    const PendingRequest* request_for(std::string_view key_sha256) const;
};

class CertificateStore {
public:
    explicit CertificateStore(std::string folder) : folder_(std::move(folder)) {}
    const std::string& path() const { return folder_.path(); }
    Outcome<Folder::Lock> lock() const;

    StoreContents read() const;
    // The whole file, for whoever needs its key.
    Outcome<Secret> open(const std::string& file) const { return read_guarded(file, Holds::key); }

    Outcome<Done> add(const Attributes&, const std::vector<Bytes>& chain, const Secret& key) const;
    Outcome<Done> add_request(const PendingRequest&, const Secret& key) const;
    // The same certificate with other attributes.
    Outcome<Done> change(const StoredCertificate&, const Attributes&) const;
    Outcome<Done> remove(const StoredCertificate&) const;
    Outcome<Done> remove(const PendingRequest&) const;

private:
    Folder folder_;
};

}  // namespace postern::tls_mutual
