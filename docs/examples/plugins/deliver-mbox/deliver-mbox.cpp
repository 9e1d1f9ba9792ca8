// A delivery agent: appends to FOLDER/DOMAIN/LOCAL-PART in mboxrd format, durable before it says so. On its lane, since
// disks block; an address of `accepted_domain { deliver mbox }` comes here.
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <postern/plugin.hpp>

using namespace postern;

namespace {

DeliveryResult later(const std::string& why) { return {VerdictKind::defer, "4.3.0", why}; }

// No way out of the folder: a local part is what strangers write.
bool harmless(const std::string& name) {
    return !name.empty() && name.front() != '.' && name.size() < 128 && name.find('/') == std::string::npos &&
           name.find('\0') == std::string::npos;
}

// mboxrd: a line of any number of ">" before "From " gets one more; line ends become the system's.
std::string as_mbox(std::string_view message) {
    std::string text = "From MAILER-DAEMON Thu Jan  1 00:00:00 1970\n";
    while (!message.empty()) {
        const auto end = message.find("\r\n");
        const auto line = message.substr(0, end);
        const auto mark = line.find_first_not_of('>');
        if (mark != std::string_view::npos && line.substr(mark).starts_with("From ")) text += '>';
        text.append(line).append("\n");
        message.remove_prefix(end == std::string_view::npos ? message.size() : end + 2);
    }
    return text + "\n";
}

class DeliverMbox : public Plugin, public Delivery {
public:
    std::vector<KeySpec> keys() const override { return {{"folder", KeyKind::path, {}, "Mailboxes live below it."}}; }
    void start(Registrar& registrar) override { registrar.provide<Delivery>(*this, Runs::lane, "mbox"); }
    void apply(const SettingsNode& settings) override { folder_ = settings.text("folder"); }

    Pending<DeliveryResult> deliver(DeliveryRequest request) override {
        if (!harmless(request.local_part) || !harmless(request.domain))
            return DeliveryResult{VerdictKind::reject, "5.1.3", "no mailbox can have that name"};
        const auto size = request.message->size();
        if (!size) return later(size.failure.text);
        std::string message(*size, '\0');
        for (std::uint64_t at = 0; at < message.size();) {
            const std::span into(reinterpret_cast<std::uint8_t*>(message.data()) + at, message.size() - at);
            const auto got = request.message->read_at(at, into);
            if (!got || *got == 0) return later("the message cannot be read from the spool");
            at += *got;
        }
        return append(folder_ + "/" + request.domain, request.local_part, as_mbox(message));
    }

private:
    static DeliveryResult append(const std::string& folder, const std::string& name, const std::string& text) {
        std::error_code error;
        std::filesystem::create_directories(folder, error);
        const auto path = folder + "/" + name;
        const int file = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (file < 0) return later(path + ": " + std::strerror(errno));
        ::flock(file, LOCK_EX);
        const auto before = ::lseek(file, 0, SEEK_END);
        const bool whole = ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
        const bool durable = whole && ::fdatasync(file) == 0;
        // Half a message would be joined to the next one.
        if (!durable && ::ftruncate(file, before) != 0) {}
        const int why = errno;
        ::close(file);
        if (!durable) return later(path + ": " + std::strerror(why));
        return {VerdictKind::proceed, "2.0.0", "appended to " + path};
    }

    std::string folder_;
};

}  // namespace

POSTERN_PLUGIN("deliver-mbox", "1.0");
POSTERN_ENTRY(DeliverMbox)
