#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <logging/line.hpp>
#include <logging/log_file.hpp>

namespace postern::logging {
namespace {

namespace fs = std::filesystem;

std::string day_of(Time now) {
    auto text = utc(now).substr(0, 10);
    std::erase(text, '-');
    return text;
}

// "RECV20261124-12.LOG" sorts behind "RECV20261124-2.LOG".
std::pair<std::string, unsigned long> place_of(const std::string& path) {
    const auto name = fs::path(path).stem().string();
    const auto dash = name.rfind('-');
    if (dash == std::string::npos) return {name, 0};
    return {name.substr(0, dash), std::strtoul(name.c_str() + dash + 1, nullptr, 10)};
}

// A crash may have cut the last line: what follows must not be glued to it.
std::uint64_t whole_lines(int file, std::uint64_t size) {
    char block[4096];
    while (size > 0) {
        const auto count = std::min<std::uint64_t>(size, sizeof block);
        if (::pread(file, block, count, static_cast<off_t>(size - count)) != static_cast<ssize_t>(count)) return size;
        for (auto i = count; i > 0; --i)
            if (block[i - 1] == '\n') return size - count + i;
        size -= count;
    }
    return 0;
}

}  // namespace

std::vector<std::string> log_files(const std::string& folder) {
    std::vector<std::string> files;
    std::error_code error;
    for (const auto& one : fs::directory_iterator(folder, error))
        if (one.path().extension() == ".LOG") files.push_back(one.path().string());
    std::ranges::sort(files, {}, place_of);
    return files;
}

void LogFile::configure(const Settings& settings) {
    if (settings.folder != settings_.folder) close();
    settings_ = settings;
}

void LogFile::close() {
    if (file_ >= 0) ::close(file_);
    file_ = -1;
}

std::string LogFile::open(Time now, std::size_t wanted) {
    close();
    std::error_code error;
    fs::create_directories(folder(), error);
    if (error) return folder() + ": " + error.message();
    day_ = day_of(now);
    // On from the day's last file: those before it may be gone already.
    auto number = 1ul;
    for (const auto& file : log_files(folder()))
        if (const auto [name, one] = place_of(file); name == prefix_ + day_) number = std::max(number, one);
    for (;; ++number) {
        path_ = folder() + "/" + prefix_ + day_ + "-" + std::to_string(number) + ".LOG";
        file_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
        if (file_ < 0) return path_ + ": " + std::strerror(errno);
        struct stat status {};
        ::fstat(file_, &status);
        size_ = whole_lines(file_, static_cast<std::uint64_t>(status.st_size));
        if (size_ == 0 || size_ + wanted <= settings_.max_size) break;
        close();
    }
    remove_old(now);
    if (size_ > 0) return {};
    const auto type = kind_ == "send" ? "Send" : "Receive";
    return write(std::string("#Software: Postern\r\n#Version: 0.1\r\n#Log-type: SMTP ") + type +
                 " Protocol Log\r\n#Date: " + utc(now) + "\r\n#Fields: " + std::string(fields) + "\r\n");
}

std::string LogFile::write(std::string_view octets) {
    const auto before = size_;
    while (!octets.empty()) {
        const auto count = ::pwrite(file_, octets.data(), octets.size(), static_cast<off_t>(size_));
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) {
            const auto why = path_ + ": " + std::strerror(count < 0 ? errno : ENOSPC);
            size_ = before;
            if (::ftruncate(file_, static_cast<off_t>(before)) != 0) close();
            return why;
        }
        octets.remove_prefix(static_cast<std::size_t>(count));
        size_ += static_cast<std::uint64_t>(count);
    }
    return {};
}

std::string LogFile::append(std::string_view lines, Time now) {
    if (file_ < 0 || day_ != day_of(now) || size_ + lines.size() > settings_.max_size)
        if (auto problem = open(now, lines.size()); !problem.empty()) {
            close();
            return problem;
        }
    return write(lines);
}

void LogFile::remove_old(Time now) const {
    auto files = log_files(folder());
    std::erase(files, path_);
    std::error_code error;
    std::uint64_t total = size_;
    for (const auto& file : files) total += fs::file_size(file, error);
    const auto oldest = std::chrono::system_clock::to_time_t(now - settings_.max_age);
    for (const auto& file : files) {
        struct stat status {};
        if (::stat(file.c_str(), &status) != 0) continue;
        if (status.st_mtime >= oldest && total + settings_.max_size <= settings_.max_directory) continue;
        if (fs::remove(file, error)) total -= static_cast<std::uint64_t>(status.st_size);
    }
}

}  // namespace postern::logging
