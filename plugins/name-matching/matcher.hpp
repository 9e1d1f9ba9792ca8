// Role NameMatcher: does a name in this certificate speak for this domain? Pure; no network, no clock, no trust.
//
// The rule (a superset of RFC 9525 by one label, as Domain Security wants it) stands in README.md; `judge_name` in the
// source is where to start. How a name is read, dns_name.hpp.
#pragma once

#include <name-matching/public_suffixes.hpp>
#include <postern/trust.hpp>

namespace postern::name_matching {

class Matcher final : public NameMatcher {
public:
    NameEvidence speaks_for(const CertificateFacts& leaf, std::string_view domain, const NameRule& rule) override;

private:
    PublicSuffixes suffixes_;
};

}  // namespace postern::name_matching
