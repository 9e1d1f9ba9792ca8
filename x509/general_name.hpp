// GeneralName and the structures of extensions made of it, shared by certificates and CRLs (RFC
// 5280 4.2.1.6, 4.2.1.13).
#pragma once

#include <x509/name.hpp>

namespace postern::x509 {

enum class NameKind : std::uint8_t {
    other = 0,
    email = 1,
    dns = 2,
    x400 = 3,
    directory = 4,
    edi_party = 5,
    uri = 6,
    ip = 7,
    registered_id = 8,
};

struct GeneralName {
    NameKind kind = NameKind::other;
    std::string value;              // email, dns, uri: as it stands; ip: its octets; others: raw DER content
    std::optional<Name> directory;  // for kind directory
};
using GeneralNames = std::vector<GeneralName>;

// `names` reads the content of a SEQUENCE OF GeneralName. Empty where malformed, empty or of more than `limit` names.
std::optional<GeneralNames> read_general_names(Reader names, std::size_t limit = 10000);
std::optional<GeneralName> read_general_name(const Element&);

// DistributionPointName: full names, or one RDN to be added to the name of the CRL's issuer.
struct DistributionPointName {
    GeneralNames full;
    std::optional<Bytes> relative;  // the content of the RDN, for Name::with_rdn
};
std::optional<DistributionPointName> read_distribution_point_name(const Element& wrapper);

// ReasonFlags: bit n of the BIT STRING is bit n here, without bit 0 ("unused").
inline constexpr std::uint16_t all_reasons = 0x1fe;
std::optional<std::uint16_t> read_reasons(const Element&);

struct DistributionPoint {
    std::optional<DistributionPointName> name;
    std::optional<std::uint16_t> reasons;  // absent: all of them
    GeneralNames crl_issuer;               // not empty: somebody else than the certificate's issuer signs the list
    std::vector<std::string> urls() const;
};
// `value` is the content of a cRLDistributionPoints or freshestCRL extension; false where malformed.
bool read_distribution_points(Reader value, std::vector<DistributionPoint>& points);

}  // namespace postern::x509
