// What a thread tells the kernel about itself: its name, as `top -H` and core dumps show it, and how long it may be
// kept from a core. Must not know what the thread does.
//
// Hints: a kernel that knows one not, or a sandbox that forbids it, leaves the thread as it was.
#pragma once

namespace postern {

// At most 15 characters.
void name_this_thread(const char* name);

// For a thread that peers wait for. Since Linux 6.12 the shorter slice lets it take a core, when it wakes, from a
// thread of ours that has not used up its own slice (sched_setattr(2), sched_runtime); before, a waking thread did so
// anyway.
void wake_promptly();

// For work that nobody waits for: what wakes goes first.
void give_way();

}  // namespace postern
