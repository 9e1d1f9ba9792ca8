// What tls-mutual logs itself: about our own certificates and those of partners. Why a handshake or a file failed goes
// back to the core as a value, which logs it as `handshake-failed` or `own-certificate`.
#pragma once

#include <postern/host.hpp>
#include <span>
#include <string_view>

namespace postern::tls_mutual {

struct Message {
    std::string_view id;
    Severity severity;
    std::string_view explanation;
};

inline std::span<const Message> messages() {
    static constexpr Message all[] = {
        {"certificate-made", Severity::info, "The self-signed certificate for opportunistic TLS was made or renewed."},
        {"certificate-ending", Severity::warning,
         "A certificate of ours ends within 30, 14, 7 or 1 days, or ended; the line says how to renew it."},
        {"partner-certificate-ending", Severity::warning,
         "A certificate that a listed partner shows ends within 30, 14, 7 or 1 days, or ended: he must renew it."},
        {"certificate-store", Severity::error,
         "The store, one of its files or a token cannot be used; the line names it and the remedy."},
        {"issuer-learned", Severity::info,
         "A missing issuer was fetched (`aia yes`), stood on a valid path, and serves that scope from now on."},
        {"issuers-not-kept", Severity::warning,
         "Issuers that were fetched cannot be kept over a restart, or a file of them is damaged; the line names it."},
    };
    return all;
}

}  // namespace postern::tls_mutual
