#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <deliver-maildir/maildir.hpp>
#include <filesystem>

namespace postern::maildir {

namespace {

namespace fs = std::filesystem;

DeliveryResult later(const std::string& what) {
    return {VerdictKind::defer, errno == ENOSPC ? "4.3.1" : "4.3.0", what + ": " + std::strerror(errno)};
}

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

bool copy(MessageSource& source, int file) {
    std::array<std::uint8_t, 65536> octets;
    for (std::uint64_t offset = 0;;) {
        const auto count = source.read_at(offset, octets);
        if (!count) {
            errno = EIO;
            return false;
        }
        if (*count == 0) return ::fsync(file) == 0;
        if (!write_all(file, octets.data(), *count)) return false;
        offset += *count;
    }
}

bool sync_folder(const std::string& path) {
    const int folder = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) return false;
    const bool good = ::fsync(folder) == 0;
    ::close(folder);
    return good;
}

}  // namespace

bool is_safe(std::string_view name) {
    if (name.empty() || name.size() > 200 || name.front() == '.') return false;
    for (unsigned char c : name)
        if (c < 33 || c == 127 || c == '/' || c == '\\') return false;
    return true;
}

std::string Maildir::unique_name() {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    const auto micros = std::chrono::duration_cast<std::chrono::microseconds>(now).count();
    std::array<char, 128> host{};
    ::gethostname(host.data(), host.size() - 1);
    return std::to_string(micros / 1000000) + ".M" + std::to_string(micros % 1000000) + "P" +
           std::to_string(::getpid()) + "Q" + std::to_string(count_.fetch_add(1)) + "." + host.data();
}

Pending<DeliveryResult> Maildir::deliver(DeliveryRequest request) {
    std::string local = request.local_part;
    for (auto& c : local)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    if (!is_safe(local) || !is_safe(request.domain))
        return DeliveryResult{VerdictKind::reject, "5.1.3", "the address cannot be the name of a mailbox"};
    const auto box = folder_ + "/" + request.domain + "/" + local;
    std::error_code error;
    for (const auto* part : {"/tmp", "/new", "/cur"}) fs::create_directories(box + part, error);
    if (error) return DeliveryResult{VerdictKind::defer, "4.3.0", box + ": " + error.message()};
    const auto name = unique_name();
    const auto fresh = box + "/tmp/" + name;
    const int file = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0) return later(fresh);
    const bool written = copy(*request.message, file);
    auto failed = later(fresh);
    ::close(file);
    if (!written || ::rename(fresh.c_str(), (box + "/new/" + name).c_str()) != 0) {
        if (written) failed = later(fresh);
        ::unlink(fresh.c_str());
        return failed;
    }
    if (!sync_folder(box + "/new")) return later(box + "/new");
    return DeliveryResult{VerdictKind::proceed, "2.0.0", "delivered to " + box};
}

}  // namespace postern::maildir
