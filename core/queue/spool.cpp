#include <algorithm>
#include <future>
#include <queue/spool.hpp>

namespace postern::queue {

Waiting waiting_of(const QueuedMessage& message) {
    Waiting waiting{message.id, message.received, message.held, {}};
    for (const auto& one : message.recipients) {
        if (one.held && !message.held) continue;
        auto known = std::ranges::find_if(waiting.due, [&](const Waiting::Due& due) {
            return due.domain == one.domain && due.requirement == one.requirement && due.route == one.route;
        });
        if (known == waiting.due.end())
            waiting.due.push_back({one.domain, one.requirement, one.route, one.next_attempt});
        else known->next_attempt = std::min(known->next_attempt, one.next_attempt);
    }
    return waiting;
}

namespace {
template <class Call>
Result<void> awaited(Call call) {
    std::promise<Result<void>> promise;
    auto future = promise.get_future();
    call([&promise](Result<void> result) { promise.set_value(std::move(result)); });
    return future.get();
}
}  // namespace

Result<void> commit_and_wait(Incoming& incoming, const QueuedMessage& message) {
    return awaited([&](Done done) { incoming.commit(message, std::move(done)); });
}

Result<void> update_and_wait(Spool& spool, const QueuedMessage& message) {
    return awaited([&](Done done) { spool.update(message, std::move(done)); });
}

Result<void> remove_and_wait(Spool& spool, const std::string& id) {
    return awaited([&](Done done) { spool.remove(id, std::move(done)); });
}

}  // namespace postern::queue
