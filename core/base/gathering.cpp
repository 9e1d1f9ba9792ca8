#include <algorithm>
#include <base/gathering.hpp>

namespace postern {

static thread_local Gathering* current = nullptr;

Gathering::Gathering() : outer_(current) { current = this; }

Gathering::~Gathering() {
    current = outer_;
    for (auto& [to, post, tasks] : told_) {
        auto all = [tasks = std::move(tasks)] {
            for (const auto& task : tasks) task();
        };
        post(std::move(all));
    }
}

void Gathering::tell(const void* to, const std::function<void(Task)>& post, Task task) {
    if (!current) return post(std::move(task));
    auto& told = current->told_;
    auto found = std::ranges::find(told, to, &Told::to);
    if (found == told.end()) found = told.insert(told.end(), {to, post, {}});
    found->tasks.push_back(std::move(task));
}

}  // namespace postern
