// An open folder, and what can be done below it without a path: every step starts at a descriptor, so nothing that is
// renamed meanwhile leads elsewhere. Knows nothing of mail. Failures: the token is the enhanced status code, the text
// names the path, the fault and the remedy.
#pragma once

#include <postern/pending.hpp>

namespace postern::maildir {

// From errno, with the remedy.
Failure explained(const std::string& path, int error);

class File {
public:
    explicit File(int descriptor = -1) : descriptor_(descriptor) {}
    File(File&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
    File& operator=(File other) noexcept {
        std::swap(descriptor_, other.descriptor_);
        return *this;
    }
    ~File();
    int get() const { return descriptor_; }

private:
    int descriptor_;
};

class Folder {
public:
    static Outcome<Folder> open(const std::string& path);  // must exist
    // The folder of that name, made with mode 0700 where it is missing; then durable before anything is put into it.
    Outcome<Folder> child(const std::string& name) const;
    Outcome<File> create(const std::string& name) const;  // a file that was not there; mode 0600
    std::optional<Failure> sync() const;
    // Hard link and unlink instead of rename: rename would replace a message of the same name without a word.
    std::optional<Failure> move(const std::string& name, const Folder& to) const;
    void remove(const std::string& name) const;
    const std::string& path() const { return path_; }

private:
    Folder(std::string path, File file) : path_(std::move(path)), file_(std::move(file)) {}
    Failure failed(const std::string& name) const;

    std::string path_;  // for messages
    File file_;
};

}  // namespace postern::maildir
