// The control socket: a Unix socket on which `postern` asks the running daemon. One request a connection: a JSON array
// of words and a line end; the answer {"status": n, "out": "...", "err": "..."}. Owner and group only (mode 0660), or
// whom control_access.hpp lets look or change.
#pragma once

#include <app/control_access.hpp>
#include <base/failure.hpp>
#include <functional>
#include <net/asio.hpp>
#include <postern/host.hpp>
#include <string>
#include <vector>

namespace postern::app {

using ControlHandler = std::function<net::awaitable<VerbResult>(std::vector<std::string>)>;

class Control {
public:
    Control(net::asio::io_context& loop, ControlHandler handler) : loop_(loop), handler_(std::move(handler)) {}
    ~Control();
    Result<void> listen(const std::string& path, const ControlGroups& groups);
    void close();

private:
    struct State;
    net::asio::io_context& loop_;
    ControlHandler handler_;
    std::shared_ptr<State> state_;
};

// The client's half; blocks. Failure `no-daemon`: nobody listens there; `control-failed`: it may have been done or not.
Outcome<VerbResult> ask_daemon(const std::string& path, const std::vector<std::string>& words);

}  // namespace postern::app
