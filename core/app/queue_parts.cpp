#include <app/queue_parts.hpp>
#include <net/outbound.hpp>

namespace postern::app {

const config::SendConnector* send_connector_of(const config::Settings& settings,
                                               const queue::Destination& destination) {
    for (const auto& connector : settings.send_connectors)
        if (destination.route == std::string(net::smtp_route) + connector.name) return &connector;
    return nullptr;
}

queue::Queue::Parts queue_parts(queue::Spool& spool, Log& log, Counters& counters, const CurrentGeneration& current) {
    queue::Queue::Parts parts{
        spool, log, counters, {}, {}, current()->settings->fqdn, [] { return std::chrono::system_clock::now(); },
        {},    {}};
    parts.router = [current](const queue::QueuedMessage&, const queue::QueuedRecipient& recipient) {
        return net::route(*current(), recipient);
    };
    parts.retry = [current](const queue::Destination& destination) {
        const auto generation = current();
        const auto* connector = send_connector_of(*generation->settings, destination);
        return connector ? connector->retry : config::Retry{};
    };
    parts.rate = [current](const queue::Destination& destination) -> std::size_t {
        const auto generation = current();
        const auto* connector = send_connector_of(*generation->settings, destination);
        return connector ? connector->rate : 0;
    };
    parts.is_final = [current](const queue::Destination& destination) {
        const auto generation = current();
        const auto* connector = send_connector_of(*generation->settings, destination);
        return !connector || connector->lmtp;
    };
    return parts;
}

}  // namespace postern::app
