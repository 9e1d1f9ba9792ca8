#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <base/threads.hpp>
#include <cstdint>

namespace postern {

namespace {

constexpr std::uint64_t shortest_slice_ns = 100'000;  // the kernel's own lower bound
constexpr int background_nice = 10;

// sched_setattr(2), the first version: glibc has none, and the kernel's header does not go with <sched.h>.
struct SchedulingAttributes {
    std::uint32_t size = sizeof(SchedulingAttributes), policy = SCHED_OTHER;
    std::uint64_t flags = 0;
    std::int32_t nice = 0;
    std::uint32_t priority = 0;
    std::uint64_t runtime = 0, deadline = 0, period = 0;
};
static_assert(sizeof(SchedulingAttributes) == 48);

}  // namespace

void name_this_thread(const char* name) { (void)::pthread_setname_np(::pthread_self(), name); }

void wake_promptly() {
    SchedulingAttributes attributes;
    attributes.nice = ::getpriority(PRIO_PROCESS, 0);
    attributes.runtime = shortest_slice_ns;
    (void)::syscall(SYS_sched_setattr, 0, &attributes, 0);
}

void give_way() { (void)::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), background_nice); }

}  // namespace postern
