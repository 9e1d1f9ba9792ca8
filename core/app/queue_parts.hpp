// What the queue asks of the configuration: where a recipient's mail goes, how often and how fast it is tried there.
// Each answer is that of the generation in force when it is asked.
#pragma once

#include <functional>
#include <net/services.hpp>
#include <queue/queue.hpp>

namespace postern::app {

using CurrentGeneration = std::function<std::shared_ptr<const net::Generation>()>;

// Null: it leaves by a delivery provider, or its connector is gone.
const config::SendConnector* send_connector_of(const config::Settings& settings, const queue::Destination& destination);

// All but what reaches the rest of the daemon: offload, on_notice.
queue::Queue::Parts queue_parts(queue::Spool& spool, Log& log, Counters& counters, const CurrentGeneration& current);

}  // namespace postern::app
