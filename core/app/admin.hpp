// What the daemon answers on its control socket: commands of its own, then those that plugins bring.
#pragma once

#include <app/lifetimes.hpp>

namespace postern::app {

struct AdminParts {
    std::function<std::shared_ptr<const net::Generation>()> current;
    const net::Services& services;
    net::asio::thread_pool& queue_pool;  // for commands that look at the queue
    const Lifetimes& lifetimes;
    std::shared_ptr<const config::Settings> started;  // of the first generation
};

// On the loop; what may take long is done on a pool or the plugin's lane.
net::awaitable<VerbResult> answer(const AdminParts& parts, std::vector<std::string> words);

}  // namespace postern::app
