// Name constraints of CA certificates (RFC 5280 4.2.1.10): DNS, e-mail, IP, directoryName and URI names of a
// certificate held against permitted and excluded subtrees. The number of comparisons is bounded: names times
// constraints is how a small chain asks for hours of work. URIs are looked up instead, a label at a time: they cost
// names times labels, and do not count.
#pragma once

#include <string>
#include <x509/certificate.hpp>

namespace postern::x509 {

class NameConstraintCheck {
public:
    static constexpr std::uint64_t most_comparisons = 1u << 20;

    // Empty, or which name of `certificate` breaks `constraints` (of a CA above it).
    std::string fault(const Certificate& certificate, const NameConstraints& constraints);
    bool too_much_work() const { return comparisons_ > most_comparisons; }

private:
    void count(const GeneralNames& names, const NameConstraints& constraints);
    static std::string fault_of(const GeneralName& name, const NameConstraints& constraints);
    static std::string uri_fault(const GeneralNames& names, const NameConstraints& constraints);

    std::uint64_t comparisons_ = 0;
};

// One name within one subtree; `excluding` widens a wildcard to all that it could stand for.
bool within_subtree(const GeneralName& name, const GeneralName& base, bool excluding);

}  // namespace postern::x509
