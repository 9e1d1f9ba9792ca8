// What one thread tells others while it does one step (a group commit), told at the step's end and once to each of
// them: a thread that is woken for every single answer runs as often as there are answers. Knows no event loop: whoever
// tells says how the other is reached.
#pragma once

#include <functional>
#include <vector>

namespace postern {

class Gathering {
public:
    Gathering();
    ~Gathering();  // tells
    Gathering(const Gathering&) = delete;
    Gathering& operator=(const Gathering&) = delete;

    using Task = std::function<void()>;
    // `post` runs a task on `to`'s thread, now or later. Outside any gathering that happens at once.
    static void tell(const void* to, const std::function<void(Task)>& post, Task task);

private:
    struct Told {
        const void* to;
        std::function<void(Task)> post;
        std::vector<Task> tasks;
    };
    std::vector<Told> told_;
    Gathering* outer_;
};

}  // namespace postern
