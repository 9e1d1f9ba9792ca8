#include <app/announcements.hpp>
#include <condition_variable>
#include <future>
#include <net/await.hpp>

namespace postern::app {

namespace asio = net::asio;

static net::awaitable<void> ask_later(const net::Services& services, net::Worker& worker,
                                      std::shared_ptr<const policy::AskedQuestion> question) {
    auto subject = "event " + std::string(policy::find_event(question->event())->name);
    (void)co_await net::ask(services, worker, worker.generation, *question, std::move(subject));
}

void announce(const net::Services& services, net::Worker& worker,
              std::shared_ptr<const policy::AskedQuestion> question) {
    asio::post(worker.loop, [&services, &worker, question = std::move(question)]() mutable {
        if (!net::listened_to(services, worker, *worker.generation, question->event())) return;
        auto asking = ask_later(services, worker, std::move(question));
        asio::co_spawn(worker.loop, std::move(asking), asio::detached);
    });
}

void announce_and_wait(const net::Services& services, net::Worker& worker,
                       std::shared_ptr<const policy::AskedQuestion> question) {
    const auto told = std::make_shared<std::promise<void>>();
    auto asking = ask_later(services, worker, std::move(question));
    asio::co_spawn(worker.loop, std::move(asking), [told](std::exception_ptr) { told->set_value(); });
    (void)told->get_future().wait_for(std::chrono::seconds(1));
}

namespace {

constexpr std::chrono::seconds longest_validation{10};

Outcome<Decision> wait_for(Pending<Decision> pending) {
    struct Bell {
        std::mutex mutex;
        std::condition_variable rung;
        bool there = false;
    };
    const auto bell = std::make_shared<Bell>();  // a late answer finds it still
    pending.on_ready([bell] {
        std::lock_guard lock(bell->mutex);
        bell->there = true;
        bell->rung.notify_all();
    });
    std::unique_lock lock(bell->mutex);
    if (!bell->rung.wait_for(lock, longest_validation, [&] { return bell->there; }))
        return Failure{"plugin-failed", "did not answer within 10 s"};
    lock.unlock();
    return pending.take();
}

}  // namespace

void validate(const net::Generation& generation, std::vector<config::ConfigProblem>& problems) {
    policy::AskedQuestion question(Event::config_validate, nullptr, nullptr);
    question.with("file", generation.settings->file).with("generation", std::to_string(generation.number));
    const auto& row = *policy::find_event(Event::config_validate);
    const auto refuse = [&](const std::string& who, const std::string& why) {
        problems.push_back({generation.settings->file, 0, who, why, false});
    };
    if (generation.scripts && generation.scripts->listens(Event::config_validate)) {
        const auto answer = script::ScriptHost(generation.scripts, {}).decide(question);
        if (answer.failed) refuse("scripts", answer.error);
        else if (answer.decision.verdict.kind != VerdictKind::proceed)
            refuse("scripts", answer.decision.verdict.reply.text);
    }
    for (const auto& named : generation.providers->deciders(Event::config_validate)) {
        const auto answer = wait_for(named.decider->decide(question));
        const auto why = answer ? policy::nonsense(row, *answer) : answer.failure.text;
        if (!why.empty()) refuse("plugins." + named.name, why);
        else if (answer->verdict.kind != VerdictKind::proceed)
            refuse("plugins." + named.name, answer->verdict.reply.text);
    }
}

}  // namespace postern::app
