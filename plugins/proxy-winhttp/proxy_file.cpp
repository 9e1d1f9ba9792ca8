// The file side of the proxy settings: versions by stat, atomic writing; see proxy_file.hpp.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <proxy-winhttp/messages.hpp>
#include <proxy-winhttp/proxy_file.hpp>
#include <proxy-winhttp/url.hpp>

namespace postern::proxy_winhttp {
namespace {

constexpr off_t largest_file = 256 << 10;

class File {
public:
    explicit File(int descriptor) : descriptor_(descriptor) {}
    File(const File&) = delete;
    File& operator=(const File&) = delete;
    ~File() {
        if (descriptor_ >= 0) ::close(descriptor_);
    }
    int get() const { return descriptor_; }
    explicit operator bool() const { return descriptor_ >= 0; }

private:
    int descriptor_;
};

Failure cannot(const std::string& what, const std::string& path) {
    return {"bad-proxy", path + ": cannot " + what + ": " + std::strerror(errno)};
}

bool write_whole(int descriptor, std::string_view text) {
    while (!text.empty()) {
        const auto written = ::write(descriptor, text.data(), text.size());
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return false;
        text.remove_prefix(static_cast<std::size_t>(written));
    }
    return true;
}

// The daemon must be able to read what root wrote: the file belongs to the folder's owner.
bool give_to_owner_of(const std::string& folder, int descriptor) {
    struct stat about {};
    if (::geteuid() != 0) return true;
    return ::stat(folder.c_str(), &about) == 0 && ::fchown(descriptor, about.st_uid, about.st_gid) == 0;
}

bool sync_folder(const std::string& folder) {
    const File directory(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    return directory && ::fsync(directory.get()) == 0;
}

}  // namespace

std::string ProxyFile::path() const {
    const auto folder = host_.state_folder();
    return folder.empty() ? folder : folder + "/proxy.info";
}

Outcome<ProxySettings> ProxyFile::read(Version& version) const {
    const auto name = path();
    const File file(::open(name.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!file) {
        version = {};
        if (errno == ENOENT) return ProxySettings{};
        return cannot("read the proxy settings", name);
    }
    struct stat about {};
    if (::fstat(file.get(), &about) != 0) return cannot("read the proxy settings", name);
    if (!S_ISREG(about.st_mode)) return Failure{"bad-proxy", name + " is no plain file"};
    if (about.st_size > largest_file) return Failure{"bad-proxy", name + " is larger than 256 KiB"};
    version = {about.st_ino, static_cast<std::uint64_t>(about.st_size), about.st_mtim.tv_sec, about.st_mtim.tv_nsec,
               true};
    std::string text(static_cast<std::size_t>(about.st_size), '\0');
    std::size_t have = 0;
    while (have < text.size()) {
        const auto got = ::read(file.get(), text.data() + have, text.size() - have);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return cannot("read the proxy settings", name);
        if (got == 0) break;
        have += static_cast<std::size_t>(got);
    }
    text.resize(have);
    auto parsed = parse_proxy_info(text);
    if (!parsed) return Failure{"bad-proxy", name + ": " + parsed.failure.text};
    return parsed;
}

void ProxyFile::tell(const Outcome<ProxySettings>& outcome) {
    if (!outcome) {
        host_.log(Severity::error, messages::proxy_settings_unusable, outcome.failure.text);
        host_.alarm(messages::proxy_settings_unusable, "proxy.info",
                    outcome.failure.text + "; nothing is fetched until `postern proxy set` or `postern proxy direct`");
        return;
    }
    host_.alarm(messages::proxy_settings_unusable, "proxy.info", "");
    host_.log(Severity::info, messages::proxy_settings_read,
              outcome->direct() ? "direct access, no proxy server" : "proxy " + shown_proxy_value(*outcome));
}

Outcome<ProxySettings> ProxyFile::settings() {
    if (path().empty()) return ProxySettings{};  // the command line without a configuration
    std::lock_guard lock(mutex_);
    struct stat about {};
    Version now;
    if (::stat(path().c_str(), &about) == 0)
        now = {about.st_ino, static_cast<std::uint64_t>(about.st_size), about.st_mtim.tv_sec, about.st_mtim.tv_nsec,
               true};
    // A version that could not be read is never taken for known: it is tried again each time.
    if (version_ && *version_ == now && now.there && known_) return known_;
    auto outcome = read(now);
    const bool news = !version_ || *version_ != now || known_.value.has_value() != outcome.value.has_value();
    version_ = now;
    known_ = outcome;
    if (news) tell(outcome);
    return known_;
}

ProxyChoice ProxyFile::choose(std::string_view url, bool ignore_bypass) {
    const auto parsed = Url::parse(url);
    if (!parsed) return no_way(parsed.failure.text);
    const auto current = settings();
    if (!current) return no_way(current.failure.text);
    return choose_way(*current, parsed->scheme, parsed->host, ignore_bypass);
}

std::optional<Failure> ProxyFile::write(const ProxySettings& settings) {
    const auto folder = host_.state_folder();
    if (folder.empty())
        return Failure{"bad-proxy", "there is no state folder: name a configuration with `state` (postern -c FILE)"};
    auto beside = folder + "/.proxy.info.XXXXXX";
    const File file(::mkostemp(beside.data(), O_CLOEXEC));  // mode 0600: it may hold a password
    if (!file) return cannot("write into the state folder", folder);
    const bool stored = write_whole(file.get(), to_proxy_info(settings)) && give_to_owner_of(folder, file.get()) &&
                        ::fsync(file.get()) == 0 && ::rename(beside.c_str(), path().c_str()) == 0;
    if (!stored) {
        auto failure = cannot("write the proxy settings", path());
        ::unlink(beside.c_str());
        return failure;
    }
    if (!sync_folder(folder)) return cannot("sync the state folder", folder);
    return std::nullopt;
}

}  // namespace postern::proxy_winhttp
