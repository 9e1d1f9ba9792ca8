#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <crl/waiting.hpp>
#include <cstdint>
#include <stdexcept>

namespace postern::crl {

Signal::Signal() : descriptor_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (descriptor_ < 0) throw std::runtime_error("no descriptors are left");
}
Signal::~Signal() { ::close(descriptor_); }

void Signal::raise() const {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(descriptor_, &one, sizeof one);
}

std::chrono::milliseconds Limits::left() const {
    const auto time =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    return std::max(time, std::chrono::milliseconds(0));
}

Limits Limits::at_most(std::chrono::milliseconds time) const {
    return {std::min(deadline, std::chrono::steady_clock::now() + time), stop};
}

Waited Limits::wait(int descriptor, short events) const {
    for (;;) {
        pollfd waits[2] = {{descriptor, events, 0}, {stop ? stop->descriptor() : -1, POLLIN, 0}};
        const auto count = ::poll(waits, 2, static_cast<int>(left().count()));
        if (count < 0 && errno == EINTR) continue;
        if (waits[1].revents != 0) return Waited::stopped;
        if (count <= 0) return Waited::too_late;
        return Waited::ready;
    }
}

}  // namespace postern::crl
