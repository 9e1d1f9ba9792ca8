// See maildir.hpp; start at Maildir::deliver().
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <deliver-maildir/maildir.hpp>
#include <deliver-maildir/messages.hpp>

namespace postern::maildir {
namespace {

bool write_all(int file, const std::uint8_t* data, std::size_t count) {
    while (count > 0) {
        const auto written = ::write(file, data, count);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return false;
        data += written;
        count -= static_cast<std::size_t>(written);
    }
    return true;
}

// All of the message, durable: nothing that ends early may look like a message.
std::optional<Failure> copy(MessageSource& source, int file, const std::string& path) {
    const auto size = source.size();
    if (!size) return Failure{"4.3.0", "the queued message cannot be read: " + size.failure.text};
    std::array<std::uint8_t, 65536> octets;
    for (std::uint64_t offset = 0; offset < *size;) {
        const auto count = source.read_at(offset, octets);
        if (!count) return Failure{"4.3.0", "the queued message cannot be read: " + count.failure.text};
        if (*count == 0) return Failure{"4.3.0", "the queued message is shorter than it was; see the spool's disk"};
        if (!write_all(file, octets.data(), *count)) return explained(path, errno);
        offset += *count;
    }
    if (::fsync(file) != 0) return explained(path, errno);
    return std::nullopt;
}

// The host part of names in new/ (Maildir): '/' and ':' mean something there.
std::string host_name() {
    std::array<char, 65> name{};
    ::gethostname(name.data(), name.size() - 1);
    std::string text(name.data());
    for (auto& c : text)
        if (c == '/' || c == ':' || static_cast<unsigned char>(c) < 33) c = '_';
    return text;
}

}  // namespace

bool is_safe(std::string_view name) {
    if (name.empty() || name.size() > NAME_MAX || name.front() == '.') return false;
    return std::ranges::none_of(name, [](unsigned char c) { return c < 33 || c == 127 || c == '/' || c == '\\'; });
}

void Maildir::use(const std::string& folder) {
    {
        std::lock_guard lock(mutex_);
        if (folder_ == folder) return;
        if (!folder_.empty()) host_.alarm(messages::maildir_unusable, folder_, {});
        folder_ = folder;
        failing_.clear();
    }
    if (::mkdir(folder.c_str(), 0700) == 0) host_.log(Severity::info, messages::maildir_created, folder);
    const auto opened = Folder::open(folder);
    if (!opened) failed("/", opened.failure.text);
}

std::string Maildir::folder() const {
    std::lock_guard lock(mutex_);
    return folder_;
}

std::string Maildir::unique_name() {
    static const std::string host = host_name();
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    const auto micros = std::chrono::duration_cast<std::chrono::microseconds>(now).count();
    return std::to_string(micros / 1000000) + ".M" + std::to_string(micros % 1000000) + "P" +
           std::to_string(::getpid()) + "Q" + std::to_string(count_.fetch_add(1)) + "." + host;
}

Outcome<std::string> Maildir::put(const std::string& domain, const std::string& local, MessageSource& message) {
    auto at = Folder::open(folder());
    for (const auto* step : {&domain, &local})
        if (at) at = at->child(*step);
    if (!at) return at.failure;
    const auto tmp = at->child("tmp"), fresh = at->child("new"), seen = at->child("cur");
    for (const auto* one : {&tmp, &fresh, &seen})
        if (!*one) return one->failure;
    const auto file_name = name();
    const auto file = tmp->create(file_name);
    if (!file) return file.failure;
    auto failure = copy(message, file->get(), tmp->path() + "/" + file_name);
    if (!failure) failure = tmp->move(file_name, *fresh);
    if (failure) {
        tmp->remove(file_name);
        return *failure;
    }
    if ((failure = fresh->sync())) {
        // It will come again: without this it would be there twice.
        fresh->remove(file_name);
        return *failure;
    }
    return at->path();
}

void Maildir::failed(const std::string& mailbox, const std::string& text) {
    std::lock_guard lock(mutex_);
    failing_ = mailbox;
    failed_at_ = host_.now();
    host_.alarm(messages::maildir_unusable, folder_, text);
}

// One broken mailbox among good ones must not make the alarm come and go with each message.
void Maildir::succeeded(const std::string& mailbox) {
    std::lock_guard lock(mutex_);
    if (failing_.empty() || (failing_ != mailbox && host_.now() - failed_at_ < std::chrono::minutes(1))) return;
    failing_.clear();
    host_.alarm(messages::maildir_unusable, folder_, {});
}

Pending<DeliveryResult> Maildir::deliver(DeliveryRequest request) {
    // Mailboxes do not differ by case: who may write to Bob may write to bob.
    std::string local = request.local_part;
    for (auto& c : local)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    if (!is_safe(local) || !is_safe(request.domain))
        return DeliveryResult{VerdictKind::reject, "5.1.3", "the address cannot be the name of a mailbox"};
    const auto mailbox = request.domain + "/" + local;
    const auto box = put(request.domain, local, *request.message);
    if (!box) {
        failed(mailbox, box.failure.text);
        return DeliveryResult{VerdictKind::defer, box.failure.token, box.failure.text};
    }
    succeeded(mailbox);
    return DeliveryResult{VerdictKind::proceed, "2.0.0", "delivered to " + *box};
}

}  // namespace postern::maildir
