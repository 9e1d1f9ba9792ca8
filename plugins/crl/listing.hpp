// What `crl list` and `crl show` print of slots and files: text for people, JSON for programs. Pure.
#pragma once

#include <crl/list_store.hpp>
#include <crl/readers.hpp>

namespace postern::crl {

struct Listing {
    const std::vector<Slot>& slots;
    const std::vector<KnownListRef>& files;
    const Readers& readers;
    Time now;

    std::string text() const;
    std::string json() const;
};

// Everything that is known of one.
std::string shown_text(const Slot& slot, const std::string& file, const Readers& readers, Time now);
std::string shown_json(const Slot& slot, const std::string& file, const Readers& readers, Time now);

// "number 1A of CN=Contoso CA, 12 entries, from 2026-10-02 14:00Z, next 2026-10-09 14:00Z"
std::string described(const x509::CertificateList& list);

}  // namespace postern::crl
