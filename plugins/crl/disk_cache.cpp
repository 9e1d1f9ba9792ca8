#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <crl/digest.hpp>
#include <crl/disk_cache.hpp>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <x509/crl.hpp>
#include <x509/name.hpp>

namespace postern::crl {
namespace {

namespace fs = std::filesystem;
constexpr std::string_view magic = "postern-crl 1\n";
constexpr std::size_t largest_head = 1u << 20;

std::string one_line(std::string_view text) {
    std::string clean;
    for (const char c : text)
        if (static_cast<unsigned char>(c) >= 32 && c != 127) clean += c;
    return clean;
}

std::optional<Bytes> from_hex(std::string_view text) {
    Bytes octets;
    if (text.size() % 2) return std::nullopt;
    for (std::size_t at = 0; at < text.size(); at += 2) {
        std::uint8_t octet = 0;
        const auto [end, error] = std::from_chars(text.data() + at, text.data() + at + 2, octet, 16);
        if (error != std::errc() || end != text.data() + at + 2) return std::nullopt;
        octets.push_back(octet);
    }
    return octets;
}

// The value of the next line, which must begin with `key: `.
std::optional<std::string_view> take(std::string_view& head, std::string_view key) {
    if (!head.starts_with(key) || !head.substr(key.size()).starts_with(": ")) return std::nullopt;
    const auto end = head.find('\n');
    if (end == std::string_view::npos) return std::nullopt;
    const auto value = head.substr(key.size() + 2, end - key.size() - 2);
    head.remove_prefix(end + 1);
    return value;
}

std::optional<CacheEntry> parse(const std::string& text) {
    std::string_view head(text);
    if (!head.starts_with(magic)) return std::nullopt;
    head.remove_prefix(magic.size());
    const auto url = take(head, "url"), etag = take(head, "etag"), modified = take(head, "last-modified"),
               fetched = take(head, "fetched"), issuer = take(head, "issuer"), sum = take(head, "sha256");
    if (!url || !etag || !modified || !fetched || !issuer || !sum || !head.starts_with("\n")) return std::nullopt;
    head.remove_prefix(1);
    CacheEntry entry{std::string(*url), std::string(*etag), std::string(*modified), {}, {}, {}};
    std::int64_t seconds = 0;
    std::from_chars(fetched->data(), fetched->data() + fetched->size(), seconds);
    entry.fetched = std::chrono::system_clock::from_time_t(seconds);
    auto certificate = from_hex(*issuer);
    if (!certificate) return std::nullopt;
    entry.issuer = std::move(*certificate);
    entry.list.assign(head.begin(), head.end());
    if (digest(entry.list) != *sum) return std::nullopt;
    return entry;
}

// What a command of root writes belongs to the folder's owner, who is the daemon.
bool give_to_owner(const fs::path& folder, int file) {
    struct stat about {};
    if (::geteuid() != 0) return true;
    return ::stat(folder.c_str(), &about) == 0 && ::fchown(file, about.st_uid, about.st_gid) == 0;
}

// All octets on stable storage, or errno.
bool write_synced(const std::string& path, std::string_view head, const Bytes& body) {
    const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file < 0) return false;
    const auto all = [file](const char* data, std::size_t size) {
        while (size > 0) {
            const auto count = ::write(file, data, size);
            if (count < 0 && errno == EINTR) continue;
            if (count <= 0) return false;
            data += count;
            size -= static_cast<std::size_t>(count);
        }
        return true;
    };
    const bool good = all(head.data(), head.size()) && all(reinterpret_cast<const char*>(body.data()), body.size()) &&
                      give_to_owner(fs::path(path).parent_path(), file) && ::fsync(file) == 0;
    const int error = errno;
    ::close(file);
    errno = error;
    return good;
}

// What was set aside for somebody to look at, and nobody did.
bool is_old_damage(const fs::directory_entry& file) {
    std::error_code error;
    const auto written = file.last_write_time(error);
    return !error && file.path().extension() == ".bad" &&
           written + std::chrono::hours(30 * 24) < fs::file_time_type::clock::now();
}

}  // namespace

std::string DiskCache::file_of(const std::string& url) const {
    return folder_ + "/" + digest(x509::bytes(url)) + ".crl";
}

std::optional<Failure> DiskCache::write(const CacheEntry& entry) const {
    if (folder_.empty()) return std::nullopt;
    const auto path = file_of(entry.url), beside = path + ".new";
    const auto seconds = std::chrono::system_clock::to_time_t(entry.fetched);
    const auto head = std::string(magic) + "url: " + one_line(entry.url) + "\netag: " + one_line(entry.etag) +
                      "\nlast-modified: " + one_line(entry.last_modified) + "\nfetched: " + std::to_string(seconds) +
                      "\nissuer: " + x509::hex(entry.issuer, false) + "\nsha256: " + digest(entry.list) + "\n\n";
    if (!write_synced(beside, head, entry.list) || ::rename(beside.c_str(), path.c_str()) != 0) {
        Failure failure{"crl-cache", beside + ": " + std::strerror(errno) + "; the list is kept in memory alone"};
        ::unlink(beside.c_str());
        return failure;
    }
    // The rename too must outlive a crash. Where it does not, the list is fetched again.
    if (const int folder = ::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); folder >= 0) {
        ::fsync(folder);
        ::close(folder);
    }
    return std::nullopt;
}

void DiskCache::remove(const std::string& url) const {
    if (!folder_.empty()) ::unlink(file_of(url).c_str());
}

void DiskCache::read_all(const std::function<void(CacheEntry)>& good,
                         const std::function<void(std::string)>& bad) const {
    if (folder_.empty()) return;
    std::error_code error;
    std::error_code ended;
    for (fs::directory_iterator file(folder_, ended); !ended && file != fs::directory_iterator();
         file.increment(ended)) {
        const auto path = file->path().string();
        if (file->path().extension() == ".new" || is_old_damage(*file)) fs::remove(path, error);
        if (file->path().extension() != ".crl") continue;
        std::optional<CacheEntry> entry;
        if (fs::file_size(path, error) <= x509::CertificateList::size_limit + largest_head && !error) {
            std::ifstream stream(path, std::ios::binary);
            entry = parse({std::istreambuf_iterator<char>(stream), {}});
        }
        if (entry && file_of(entry->url) == path) {
            good(std::move(*entry));
        } else {
            fs::rename(path, path + ".bad", error);
            bad(path + " is damaged; it is set aside as " + path + ".bad and the list is fetched again when needed");
        }
    }
}

}  // namespace postern::crl
