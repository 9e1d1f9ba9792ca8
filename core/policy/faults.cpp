#include <algorithm>
#include <policy/faults.hpp>

namespace postern::policy {

// In the order of docs/domain-security.md; the replies are the product's contract with its partners.
static constexpr FaultRow rows[] = {
    {"role-missing", 451, "4.3.0", "load the plugin that the line names"},
    {"plugin-failed", 451, "4.3.0", "see the plugin's own line before this one"},
    {"script-failed", 451, "4.3.0", "mend the script that the line names and reload"},
    {"connector-not-secured", 454, "4.7.0", "set domain_secure_enabled yes and auth_mechanism tls on the connector"},
    {"starttls-required", 530, "5.7.0", "the sender must use STARTTLS"},
    {"tls-unavailable", 454, "4.7.0", "see why STARTTLS could not be offered or its handshake broke"},
    {"no-certificate", 454, "4.7.5", "the sender must present its client certificate"},
    {"unknown-root", 454, "4.7.5", "add the root to the partner's block, if it is to be trusted"},
    {"incomplete-chain", 454, "4.7.5", "the sender must send its intermediates, or add them here"},
    {"expired", 454, "4.7.5", "the sender must renew its certificate"},
    {"not-yet-valid", 454, "4.7.5", "compare the clocks of both sides"},
    {"weak", 454, "4.7.5", "the sender needs a certificate with a stronger key or signature"},
    {"broken-constraint", 454, "4.7.5", "the sender's CA must mend the chain"},
    {"wrong-purpose", 454, "4.7.5", "the sender needs a certificate for this purpose"},
    {"too-much-work", 454, "4.7.5", "the sender must send a plain chain"},
    {"name-mismatch", 550, "5.7.1", "the sender needs a certificate that names its domain"},
    {"tls-too-old", 454, "4.7.5", "the sender must use a newer TLS version"},
    {"issuer-not-accepted", 454, "4.7.5", "compare the issuer with the partner's policy script"},
    {"revoked", 550, "5.7.5", "the sender needs a new certificate"},
    {"on-hold", 454, "4.7.5", "the sender's CA must release the certificate"},
    {"crl-unreachable", 451, "4.7.5", "see postern crl list; postern crl refresh tries again at once"},
    {"crl-stale", 451, "4.7.5", "the CA must publish a new list; postern crl refresh tries again at once"},
    {"crl-unverifiable", 451, "4.7.5", "the list is not by the certificate's issuer; ask the CA"},
    {"revocation-pending", 451, "4.7.5", "the list is being fetched; the sender's next try will find it"},
    {"no-crl-source", 454, "4.7.5", "the certificate names no list; see revocation_source"},
    {"starttls-not-offered", 454, "4.7.5", "the recipient's server must offer STARTTLS"},
    {"starttls-refused", 454, "4.7.5", "the recipient's server must accept STARTTLS"},
    {"handshake-failed", 454, "4.7.5", "see the protocol log of the connector"},
    {"peer-did-not-ask", 454, "4.7.5", "the recipient's server must ask for our certificate, or set mutual no"},
    {"own-certificate-refused", 454, "4.7.5", "ask the partner which of our certificates it expects"},
    {"no-own-certificate", 454, "4.7.5", "name a usable certificate in the send connector"},
};

const FaultRow& fault_row(std::string_view token) {
    const auto* found =
        std::find_if(std::begin(rows), std::end(rows), [&](const FaultRow& row) { return row.token == token; });
    return found == std::end(rows) ? rows[1] : *found;
}

static bool softened(const Fault& fault, const Partner& partner) {
    if (fault.token == "starttls-required") return partner.starttls_required_temporary;
    if (fault.token == "name-mismatch") return partner.name_mismatch_temporary;
    return fault.token == "revoked" && partner.revoked_temporary;
}

Reply reply_to(const Fault& fault, const Partner& partner, std::string_view domain, std::string_view session) {
    const auto& row = fault_row(fault.token);
    Reply reply{row.code, std::string(row.enhanced), {}};
    if (softened(fault, partner)) {
        reply.code = fault.token == "starttls-required" ? 450 : 454;
        reply.enhanced[0] = '4';
    }
    reply.text = fault.token + ": ";
    // RFC 3207 4.3 gives this reply its words.
    if (fault.token == "starttls-required") reply.text += "must issue a STARTTLS command first, ";
    reply.text.append(domain).append(" ").append(fault.sentence).append(" (session ").append(session).append(")");
    return reply;
}

Verdict policy_failed(std::string_view domain, std::string_view session) {
    const auto whose = domain.empty() ? std::string("mail") : "mail of " + std::string(domain);
    return Verdict::defer("plugin-failed: " + whose +
                              " cannot be decided: a policy failed here; try again later (session " +
                              std::string(session) + ")",
                          "4.3.0", 451);
}

}  // namespace postern::policy
