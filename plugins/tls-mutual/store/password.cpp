#include <fcntl.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <iterator>
#include <optional>
#include <tls-mutual/store/password.hpp>

namespace postern::tls_mutual {
namespace {

constexpr std::size_t longest_password = 1024;

Failure wrong(std::string text) { return {"password", std::move(text)}; }

Outcome<Secret> first_line(Outcome<Secret> whole, const std::string& where) {
    if (!whole) return wrong(whole.failure.text);
    auto& octets = whole->bytes;
    const auto end = std::ranges::find(octets, '\n');
    auto length = static_cast<std::size_t>(end - octets.begin());
    if (length > 0 && octets[length - 1] == '\r') --length;
    if (length > longest_password) return wrong(where + ": its first line is longer than any password");
    std::fill(octets.begin() + static_cast<std::ptrdiff_t>(length), octets.end(), 0);
    octets.resize(length);
    return std::move(*whole);
}

// What ends us at the prompt ends us after the terminal is as it was. Between the two nothing else runs here.
constexpr int ending[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};
volatile std::sig_atomic_t caught = 0;

class Signals {
public:
    Signals() {
        caught = 0;
        struct sigaction noting {};
        noting.sa_handler = [](int number) { caught = number; };  // without SA_RESTART: read() comes back
        for (std::size_t at = 0; at < std::size(ending); ++at) ::sigaction(ending[at], &noting, &before_[at]);
    }
    Signals(const Signals&) = delete;
    Signals& operator=(const Signals&) = delete;
    ~Signals() {
        for (std::size_t at = 0; at < std::size(ending); ++at) ::sigaction(ending[at], &before_[at], nullptr);
        if (caught != 0) (void)::raise(caught);
    }

private:
    struct sigaction before_[std::size(ending)]{};
};

// The terminal, silent while it lives.
class Terminal {
public:
    Terminal() : number_(::open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC)) {
        if (number_ < 0 || ::tcgetattr(number_, &before_) != 0) return;
        auto silent = before_;
        silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
        usable_ = ::tcsetattr(number_, TCSAFLUSH, &silent) == 0;
    }
    Terminal(const Terminal&) = delete;
    Terminal& operator=(const Terminal&) = delete;
    ~Terminal() {
        if (usable_) ::tcsetattr(number_, TCSAFLUSH, &before_);
        if (number_ >= 0) ::close(number_);
    }
    bool usable() const { return usable_; }

    // Nothing where a signal came instead.
    std::optional<Secret> ask(const std::string& prompt) const {
        Secret secret;
        secret.bytes.reserve(longest_password);
        (void)!::write(number_, prompt.data(), prompt.size());
        for (char c = 0; secret.bytes.size() < longest_password && caught == 0; secret.bytes.push_back(c))
            if (::read(number_, &c, 1) != 1 || c == '\n') break;
        (void)!::write(number_, "\n", 1);
        if (caught != 0) return std::nullopt;
        return secret;
    }

private:
    int number_;
    termios before_{};
    bool usable_ = false;
};

Outcome<Secret> ask_at_terminal(const std::string& for_what, Ask times) {
    const Signals signals;
    const Terminal terminal;
    if (!terminal.usable())
        return wrong(for_what +
                     " needs a password and there is no terminal to ask on: give --password-file or "
                     "--password-stdin");
    auto secret = terminal.ask("Password of " + for_what + ": ");
    auto again = secret && times == Ask::twice ? terminal.ask("Again: ") : std::optional<Secret>();
    if (!secret || (times == Ask::twice && !again)) return wrong("no password was given; nothing was changed");
    if (again && again->bytes != secret->bytes) return wrong("the two passwords differ; nothing was written");
    return std::move(*secret);
}

}  // namespace

Outcome<Secret> password(const Arguments& arguments, const std::string& for_what, Ask times) {
    if (arguments.has("--password-file")) {
        const auto file = arguments.value("--password-file");
        return first_line(read_guarded(file, Holds::key), file);
    }
    if (arguments.has("--password-stdin"))
        return first_line(read_all_of(STDIN_FILENO, "standard input"), "standard input");
    return ask_at_terminal(for_what, times);
}

}  // namespace postern::tls_mutual
