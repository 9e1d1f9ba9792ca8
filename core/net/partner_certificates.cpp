#include <net/partner_certificates.hpp>

namespace postern::net {

bool PartnerCertificates::due(const std::string& key, std::chrono::steady_clock::time_point now) {
    const std::lock_guard held(mutex_);
    const auto [known, fresh] = next_.try_emplace(key, now);
    if (now < known->second) return false;
    known->second = now + between;
    if (!fresh || next_.size() <= most) return true;
    std::erase_if(next_, [now](const auto& one) { return one.second <= now; });
    if (next_.size() > most) next_.erase(key);  // told each time, rather than never
    return true;
}

void tell_of_certificate(const Services& services, const PartnerSighting& where, const policy::Evidence& evidence,
                         const policy::Outcome& outcome) {
    // A stranger may claim the name; whoever was judged valid, or would be if its list were here, is the partner.
    const bool partner = evidence.judgement && evidence.judgement->standing != Standing::invalid && evidence.name &&
                         evidence.name->speaks;
    if (where.entry.empty() || !partner || !evidence.tls || evidence.tls->peer_chain.empty()) return;
    const auto& leaf = evidence.tls->peer_chain.front();
    const std::string direction = evidence.outbound ? "out" : "in";
    const auto key =
        direction + "\n" + std::string(where.connector) + "\n" + std::string(where.entry) + "\n" + leaf.sha256;
    if (!services.partner_certificates.due(key, std::chrono::steady_clock::now())) return;
    auto question = std::make_shared<policy::AskedQuestion>(Event::partner_certificate, nullptr, nullptr);
    question->with("partner", std::string(where.entry))
        .with("domain", std::string(where.domain))
        .with("direction", direction)
        .with("connector", std::string(where.connector))
        .with("host", std::string(where.host))
        .with("certificate", leaf.sha256)
        .with("subject", leaf.subject)
        .with("not_before", std::to_string(std::chrono::system_clock::to_time_t(leaf.not_before)))
        .with("not_after", std::to_string(std::chrono::system_clock::to_time_t(leaf.not_after)))
        .with("standing", outcome.passes ? (outcome.by_exception ? "exception" : "passes") : "refused")
        .with("client_name", evidence.name->matched);
    services.announce(std::move(question));
}

}  // namespace postern::net
