// What the configuration says of one listed domain: the terms under which the floor is held, and the exceptions that
// alone may lower it (spec: "The floor, and who may move it").
#pragma once

#include <optional>
#include <postern/trust.hpp>
#include <string>
#include <vector>

namespace postern::policy {

enum class ExceptionKind : std::uint8_t { no_tls = 1, any_certificate = 2, any_name = 3, no_revocation = 4 };

struct Exception {
    ExceptionKind allow;
    Time until{};  // end of that day, UTC: it ends by itself
    std::string reason;
};

struct Partner {
    std::string domain;  // the entry: "woodgrovebank.com" or ".woodgrovebank.com"
    NameRule name_rule;
    bool speaks_for_base = false;  // `speaks_for base`: a certificate for the base domain speaks for all below
    RevocationMode revocation = RevocationMode::hard;
    RevocationSource revocation_source = RevocationSource::except_short_lived;
    std::chrono::seconds crl_grace{0};
    Purpose purpose = Purpose::connecting;  // of a peer that connects to us: connecting, or client where demanded
    bool aia = false;                       // `aia yes`: what a server's chain lacks may be fetched from where it says
    std::vector<Exception> exceptions;
    std::optional<Time> report_only_until;
    bool enforcement_script = false;
    bool mutual_outbound = true;  // `mutual no`: a server that does not ask for our certificate is accepted
    bool starttls_required_temporary = false;  // 450 instead of 530
    bool name_mismatch_temporary = false;      // defer instead of 550
    bool revoked_temporary = false;            // defer instead of 550
    std::string via;                           // `via CONNECTOR`: through that smart host, hop_secured
    bool opportunistic_clear_below = false;
};

}  // namespace postern::policy
