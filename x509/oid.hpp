// The object identifiers that Postern knows, as DER content octets: compared bytewise, never parsed.
#pragma once

#include <string_view>

namespace postern::x509::oid {

using namespace std::string_view_literals;

// Certificate and CRL extensions, RFC 5280 4.2 and 5.2
inline constexpr auto subject_key_identifier = "\x55\x1d\x0e"sv;
inline constexpr auto key_usage = "\x55\x1d\x0f"sv;
inline constexpr auto subject_alternative_name = "\x55\x1d\x11"sv;
inline constexpr auto issuer_alternative_name = "\x55\x1d\x12"sv;
inline constexpr auto basic_constraints = "\x55\x1d\x13"sv;
inline constexpr auto crl_number = "\x55\x1d\x14"sv;
inline constexpr auto crl_reason = "\x55\x1d\x15"sv;
inline constexpr auto hold_instruction = "\x55\x1d\x17"sv;
inline constexpr auto invalidity_date = "\x55\x1d\x18"sv;
inline constexpr auto delta_crl_indicator = "\x55\x1d\x1b"sv;
inline constexpr auto issuing_distribution_point = "\x55\x1d\x1c"sv;
inline constexpr auto certificate_issuer = "\x55\x1d\x1d"sv;
inline constexpr auto name_constraints = "\x55\x1d\x1e"sv;
inline constexpr auto crl_distribution_points = "\x55\x1d\x1f"sv;
inline constexpr auto certificate_policies = "\x55\x1d\x20"sv;
inline constexpr auto any_policy = "\x55\x1d\x20\x00"sv;
inline constexpr auto policy_mappings = "\x55\x1d\x21"sv;
inline constexpr auto authority_key_identifier = "\x55\x1d\x23"sv;
inline constexpr auto policy_constraints = "\x55\x1d\x24"sv;
inline constexpr auto extended_key_usage = "\x55\x1d\x25"sv;
inline constexpr auto freshest_crl = "\x55\x1d\x2e"sv;
inline constexpr auto inhibit_any_policy = "\x55\x1d\x36"sv;
inline constexpr auto authority_information_access = "\x2b\x06\x01\x05\x05\x07\x01\x01"sv;
inline constexpr auto tls_feature = "\x2b\x06\x01\x05\x05\x07\x01\x18"sv;

// Access methods
inline constexpr auto ocsp = "\x2b\x06\x01\x05\x05\x07\x30\x01"sv;
inline constexpr auto ca_issuers = "\x2b\x06\x01\x05\x05\x07\x30\x02"sv;

// Purposes
inline constexpr auto any_extended_key_usage = "\x55\x1d\x25\x00"sv;
inline constexpr auto server_auth = "\x2b\x06\x01\x05\x05\x07\x03\x01"sv;
inline constexpr auto client_auth = "\x2b\x06\x01\x05\x05\x07\x03\x02"sv;

inline constexpr auto ocsp_signing = "\x2b\x06\x01\x05\x05\x07\x03\x09"sv;

// Online status, RFC 6960
inline constexpr auto ocsp_basic = "\x2b\x06\x01\x05\x05\x07\x30\x01\x01"sv;
inline constexpr auto ocsp_no_check = "\x2b\x06\x01\x05\x05\x07\x30\x01\x05"sv;
inline constexpr auto sha1 = "\x2b\x0e\x03\x02\x1a"sv;
inline constexpr auto sha256 = "\x60\x86\x48\x01\x65\x03\x04\x02\x01"sv;

// PKCS#7, RFC 2315 and RFC 5652
inline constexpr auto signed_data = "\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02"sv;

// Name attributes
inline constexpr auto common_name = "\x55\x04\x03"sv;
inline constexpr auto email_address = "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01"sv;

// Keys
inline constexpr auto rsa_encryption = "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01"sv;
inline constexpr auto rsa_pss = "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a"sv;
inline constexpr auto ec_public_key = "\x2a\x86\x48\xce\x3d\x02\x01"sv;
inline constexpr auto ed25519 = "\x2b\x65\x70"sv;
inline constexpr auto ed448 = "\x2b\x65\x71"sv;

}  // namespace postern::x509::oid
