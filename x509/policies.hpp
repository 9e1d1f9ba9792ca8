// Certificate policies along one path, as RFC 9618 has them processed: a graph of policies where RFC 5280's tree could
// be made to grow without bound.
//
// Postern demands no policy of its own (the initial set is anyPolicy, nothing is inhibited): what can fail is a CA's
// own demand that everything below it stand under an explicit policy (policyConstraints). Only whether policies are
// left matters then, so the newest level of the graph is kept and none above it.
#pragma once

#include <string>
#include <vector>
#include <x509/certificate.hpp>

namespace postern::x509 {

struct PolicyFault {
    std::size_t certificate = 0;  // index in the path
    std::string what;             // "breaks ..."
};

// `path`: leaf first, anchor last; the anchor's own policies do not count.
std::optional<PolicyFault> policy_fault(const std::vector<const Certificate*>& path);

}  // namespace postern::x509
