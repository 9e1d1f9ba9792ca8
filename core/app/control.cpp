#include <sys/stat.h>

#include <app/control.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <boost/json.hpp>
#include <filesystem>

namespace postern::app {

namespace asio = net::asio;
namespace json = boost::json;
using local = asio::local::stream_protocol;

static constexpr std::size_t longest_request = 1u << 20;

static VerbResult not_permitted(ControlAccess may) {
    constexpr int no_permission = 77;  // sysexits.h
    return {no_permission,
            {},
            may == ControlAccess::look
                ? "postern: this changes something or shows mail: it is for members of control_change_group\n"
                : "postern: this is for members of control_look_group or control_change_group\n"};
}

struct Control::State : std::enable_shared_from_this<State> {
    State(asio::io_context& io, ControlHandler& answer_with) : acceptor(io), handler(answer_with) {}
    local::acceptor acceptor;
    ControlHandler& handler;
    std::string path;
    ControlGroups groups;

    net::awaitable<void> accept() {
        auto self = shared_from_this();
        while (acceptor.is_open()) {
            auto [error, socket] = co_await acceptor.async_accept(net::no_throw);
            if (error) {
                if (!acceptor.is_open()) co_return;
                // No descriptor is left, mostly: at once it would fail again.
                asio::steady_timer pause(acceptor.get_executor(), std::chrono::milliseconds(100));
                (void)co_await pause.async_wait(net::no_throw);
                continue;
            }
            auto one = serve(std::move(socket));
            asio::co_spawn(acceptor.get_executor(), std::move(one), asio::detached);
        }
    }

    net::awaitable<void> serve(local::socket socket) {
        auto self = shared_from_this();
        std::string request;
        while (request.find('\n') == std::string::npos && request.size() < longest_request) {
            char octets[4096];
            auto [error, count] = co_await socket.async_read_some(asio::buffer(octets), net::no_throw);
            if (error) co_return;
            request.append(octets, count);
        }
        VerbResult result{2, {}, "the request is not an array of words\n"};
        boost::system::error_code error;
        const auto parsed = json::parse(request.substr(0, request.find('\n')), error);
        std::vector<std::string> words;
        if (!error && parsed.is_array())
            for (const auto& word : parsed.as_array())
                if (word.is_string()) words.emplace_back(word.as_string());
        if (!words.empty()) {
            const auto may = access_of(socket.native_handle(), groups);
            if (may == ControlAccess::change || (may == ControlAccess::look && only_looks(words)))
                result = co_await handler(std::move(words));
            else result = not_permitted(may);
        }
        const json::object answer{{"status", result.status}, {"out", result.out}, {"err", result.err}};
        const auto text = json::serialize(answer) + "\n";
        (void)co_await asio::async_write(socket, asio::buffer(text), net::no_throw);
    }
};

Control::~Control() { close(); }

Result<void> Control::listen(const std::string& path, const ControlGroups& groups) {
    if (state_ && state_->path == path) return {};
    auto fresh = std::make_shared<State>(loop_, handler_);
    fresh->path = path;
    fresh->groups = groups;
    std::error_code ignored;
    std::filesystem::create_directories(std::filesystem::path(path).parent_path(), ignored);
    ::unlink(path.c_str());
    net::error_code error;
    // The mode must hold from the first moment, not after a chmod.
    const auto mask = ::umask(groups.any() ? 0111 : 0117);
    fresh->acceptor.open(local(), error);
    if (!error) fresh->acceptor.bind(local::endpoint(path), error);
    ::umask(mask);
    if (!error) fresh->acceptor.listen(16, error);
    if (error) return Problem{"start-failed", "control_socket " + path + ": " + error.message()};
    close();
    state_ = fresh;
    auto loop = fresh->accept();
    asio::co_spawn(loop_, std::move(loop), asio::detached);
    return {};
}

void Control::close() {
    if (!state_) return;
    net::error_code ignored;
    state_->acceptor.close(ignored);
    ::unlink(state_->path.c_str());
    state_.reset();
}

Outcome<VerbResult> ask_daemon(const std::string& path, const std::vector<std::string>& words) {
    asio::io_context loop;
    local::socket socket(loop);
    net::error_code error;
    socket.connect(local::endpoint(path), error);
    if (error == asio::error::connection_refused ||
        error == net::error_code(ENOENT, asio::error::get_system_category()))
        return Failure{"no-daemon", "no daemon answers on " + path + "; is posternd running?"};
    if (error) return Failure{"control-failed", "cannot ask the daemon on " + path + ": " + error.message()};
    json::array request;
    for (const auto& word : words) request.emplace_back(word);
    asio::write(socket, asio::buffer(json::serialize(request) + "\n"), error);
    std::string answer;
    if (!error) asio::read(socket, asio::dynamic_buffer(answer), error);
    boost::system::error_code bad;
    const auto parsed = json::parse(answer.substr(0, answer.find('\n')), bad);
    if (bad || !parsed.is_object()) return Failure{"control-failed", "the daemon on " + path + " broke off"};
    const auto& object = parsed.as_object();
    return VerbResult{static_cast<int>(object.at("status").as_int64()), std::string(object.at("out").as_string()),
                      std::string(object.at("err").as_string())};
}

}  // namespace postern::app
