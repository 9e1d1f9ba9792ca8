#include <app/workers.hpp>
#include <base/threads.hpp>

namespace postern::app {

namespace asio = net::asio;

void Workers::start(std::size_t count, const std::shared_ptr<const net::Generation>& generation) {
    for (std::size_t i = 0; i < count; ++i) {
        auto worker = std::make_unique<net::Worker>();
        worker->number = i;
        worker->generation = generation;
        guards_.push_back(asio::make_work_guard(worker->loop));
        workers_.push_back(std::move(worker));
    }
    for (auto& worker : workers_) asio::post(worker->loop, [this, &one = *worker] { took_up_(one); });
    for (auto& worker : workers_)
        threads_.emplace_back([&one = *worker] {
            name_this_thread(("worker " + std::to_string(one.number)).c_str());
            wake_promptly();
            one.loop.run();
        });
}

// A worker swaps one pointer; what it lets go of is freed elsewhere.
void Workers::take(const std::shared_ptr<const net::Generation>& generation) {
    for (auto& worker : workers_) {
        asio::post(worker->loop, [this, &one = *worker, generation] {
            one.generation = generation;
            took_up_(one);
            tell_holders(one, &net::GenerationHolder::newer_generation, nullptr);
        });
    }
}

// In portions: ten thousand idle sessions at once would be a pause for the others.
void Workers::tell_holders(net::Worker& worker, News news, net::GenerationHolder* after) {
    constexpr int portion = 256;
    auto one = after ? worker.holders.upper_bound(after) : worker.holders.begin();
    for (int told = 0; one != worker.holders.end(); ++one) {
        if (++told > portion) {
            asio::post(worker.loop, [&worker, news, last = *std::prev(one)] { tell_holders(worker, news, last); });
            return;
        }
        ((*one)->*news)();
    }
}

void Workers::look_again() {
    for (auto& worker : workers_)
        asio::post(worker->loop, [&one = *worker] { tell_holders(one, &net::GenerationHolder::look_again, nullptr); });
}

std::size_t Workers::sessions() const {
    std::size_t all = 0;
    for (const auto& worker : workers_) all += worker->sessions;
    return all;
}

void Workers::stop() {
    for (auto& worker : workers_) worker->loop.stop();
    for (auto& thread : threads_) thread.join();
}

}  // namespace postern::app
