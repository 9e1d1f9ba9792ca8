// The loop of RFC 5280 6.1 over one path whose signatures hold: dates, keys, CA bits, path length, critical extensions,
// name constraints, policies, purpose. Revocation is not judged here.
//
// An anchor is a name and a key: its dates and extensions are not judged, its key is (spec: validation.md 2).
#pragma once

#include <postern/trust.hpp>
#include <vector>
#include <x509/certificate.hpp>

namespace postern::x509 {

struct PathTerms {
    Time at{};
    Purpose purpose = Purpose::connecting;
    Profile profile = Profile::modern;
};

struct PathFault {
    std::string reason;             // token: "expired", "broken-constraint" ...
    std::string sentence;           // names the certificate
    std::uint32_t certificate = 0;  // index in the path
};

// Leaf first, anchor last; pointers into whoever found it.
struct Path {
    std::vector<const Certificate*> certificates;
    Purpose held = Purpose::unstated;  // client or server, which of the two carried it
};

// What is wrong with an intermediate whatever stands around it: dates, key, critical extensions, CA bits. No path
// through it is valid. The fault's index is 0.
std::optional<PathFault> intermediate_fault(const Certificate& certificate, const PathTerms& terms);
// The same of a leaf: dates, key, critical extensions, purpose.
std::optional<PathFault> leaf_fault(const Certificate& certificate, const PathTerms& terms);

// Sets path.held. Chain faults are reported before purpose.
std::optional<PathFault> validate(Path& path, const PathTerms& terms);

// `"CN=..." (serial 1F03)`: how a certificate is named in a sentence.
std::string shown(const Certificate& certificate);

}  // namespace postern::x509
