#include <algorithm>
#include <config/settings.hpp>

namespace postern::config {

bool is_sha256(std::string_view certificate) {
    return certificate.size() == 64 && certificate.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

const policy::Partner& Settings::partner(std::string_view entry) const {
    static const policy::Partner defaults;
    const auto found = partners.find(entry);
    return found == partners.end() ? defaults : found->second;
}

// How many octets of the domain the pattern matches; longer is more specific. Nothing: it does not fit.
static std::optional<std::size_t> fit(const std::string& pattern, std::string_view domain) {
    if (pattern == "*") return 0;
    if (domain == pattern) return domain.size() + 1;
    if (pattern.starts_with('.') && domain.ends_with(pattern)) return pattern.size();
    return std::nullopt;
}

const SendConnector* Settings::send_connector_for(std::string_view domain) const {
    const auto& via = partner(send_list.entry_for(domain)).via;
    const SendConnector* best = nullptr;
    std::size_t best_fit = 0;
    unsigned best_cost = 0;
    for (const auto& connector : send_connectors) {
        if (!via.empty() && connector.name == via) return &connector;
        for (const auto& space : connector.address_spaces) {
            const auto length = fit(space.pattern, domain);
            if (!length) continue;
            if (best && (*length < best_fit || (*length == best_fit && space.cost >= best_cost))) continue;
            best = &connector;
            best_fit = *length;
            best_cost = space.cost;
        }
    }
    return best;
}

const ReceiveConnector* Settings::receive_connector(std::string_view name) const {
    const auto found = std::find_if(receive_connectors.begin(), receive_connectors.end(),
                                    [&](const auto& one) { return one.name == name; });
    return found == receive_connectors.end() ? nullptr : &*found;
}

std::vector<std::string> Settings::own_domains() const {
    std::set<std::string> own{fqdn};
    for (const auto& connector : receive_connectors) own.insert(connector.fqdn);
    for (const auto& connector : send_connectors) own.insert(connector.fqdn);
    for (const auto& [domain, ignored] : accepted_domains) own.insert(domain);
    return {own.begin(), own.end()};
}

}  // namespace postern::config
