#include <gnutls/crypto.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <tls-mutual/learned_issuers.hpp>
#include <tls-mutual/store/folder.hpp>

namespace postern::tls_mutual {
namespace {

namespace fs = std::filesystem;
constexpr std::string_view magic = "postern-issuers 1\n", suffix = ".issuers";
constexpr std::size_t largest_file = 1u << 20, largest_scope = 512u << 10;

std::string digest(std::string_view octets) {
    std::uint8_t hash[32];
    if (gnutls_hash_fast(GNUTLS_DIG_SHA256, octets.data(), octets.size(), hash) != 0) return {};
    return x509::hex(BytesView(hash), false);
}

// A scope is named by a domain; its file by what fits every file system.
std::string file_of(std::string_view scope) { return digest(scope) + std::string(suffix); }

std::size_t octets_of(const std::vector<x509::Certificate>& issuers) {
    std::size_t octets = 0;
    for (const auto& one : issuers) octets += one.der().size();
    return octets;
}

// Head, digest of all that follows it, and the certificates one behind the other.
std::string written(const std::string& scope, const std::vector<x509::Certificate>& issuers) {
    std::string body = "scope: " + scope + "\n\n";
    for (const auto& one : issuers) body += x509::text(one.der());
    return std::string(magic) + "sha256: " + digest(body) + "\n" + body;
}

// Empty where the head is none or the digest another.
std::string_view proven(std::string_view file) {
    const auto head = magic.size() + 8 + 64 + 1;
    if (file.size() <= head || !file.starts_with(magic) || !file.substr(magic.size()).starts_with("sha256: "))
        return {};
    const auto body = file.substr(head);
    return file[head - 1] == '\n' && file.substr(magic.size() + 8, 64) == digest(body) ? body : std::string_view();
}

struct LearnedFile {
    std::string scope;
    std::vector<x509::Certificate> issuers;
};

std::optional<LearnedFile> parse(std::string_view file) {
    auto body = proven(file);
    const auto end = body.find("\n\n");
    if (!body.starts_with("scope: ") || end == std::string_view::npos) return std::nullopt;
    LearnedFile known{std::string(body.substr(7, end - 7)), {}};
    x509::Reader certificates(x509::bytes(body.substr(end + 2)));
    while (certificates.more()) {
        auto one = x509::Certificate::read(certificates.any().whole);
        if (!one || known.issuers.size() == LearnedIssuers::most_of_scope) return std::nullopt;
        known.issuers.push_back(std::move(*one));
    }
    return certificates.finished() ? std::optional(std::move(known)) : std::nullopt;
}

}  // namespace

std::vector<x509::Certificate> LearnedIssuers::of(const std::string& scope) const {
    std::lock_guard lock(mutex_);
    const auto found = by_scope_.find(scope);
    return found == by_scope_.end() ? std::vector<x509::Certificate>() : found->second;
}

bool LearnedIssuers::keep(const std::string& scope, const x509::Certificate& certificate) {
    std::lock_guard lock(mutex_);
    if (by_scope_.size() >= most_scopes && !by_scope_.contains(scope)) return false;
    const auto size = certificate.der().size();
    if (octets_ + size > most_octets || size > largest_scope) return false;
    auto& known = by_scope_[scope];
    if (std::ranges::any_of(known, [&](const auto& one) { return x509::equal(one.der(), certificate.der()); }))
        return false;
    while (!known.empty() && (known.size() >= most_of_scope || octets_of(known) + size > largest_scope)) {
        octets_ -= known.front().der().size();
        known.erase(known.begin());
    }
    known.push_back(certificate);
    octets_ += size;
    changed_.insert(scope);
    ++epoch_;
    return true;
}

std::uint64_t LearnedIssuers::epoch() const {
    std::lock_guard lock(mutex_);
    return epoch_;
}

void LearnedIssuers::read(const std::string& path, Time now, const Tell& tell) {
    std::error_code error;
    std::optional<LearnedFile> known;
    if (fs::is_regular_file(fs::symlink_status(path, error)) && fs::file_size(path, error) <= largest_file && !error) {
        std::ifstream stream(path, std::ios::binary);
        known = parse(std::string(std::istreambuf_iterator<char>(stream), {}));
    }
    if (!known || fs::path(path).filename() != file_of(known->scope)) {
        fs::rename(path, path + ".bad", error);
        return tell(path + " is damaged; it is set aside as " + path +
                    ".bad and its issuers are fetched again when needed");
    }
    for (const auto& one : known->issuers)
        if (one.not_after > now) keep(known->scope, one);
}

void LearnedIssuers::keep_in(const std::string& folder, Time now, const Tell& tell) {
    std::lock_guard alone(writing_);
    if (!folder_.empty() || folder.empty()) return;
    const Folder files(folder);
    const auto lock = files.lock();
    if (!lock) return tell(lock.failure.text + "; issuers that are fetched are known until the daemon ends");
    for (const auto& name : files.names())
        if (name.ends_with(suffix)) read(files.path_of(name), now, tell);
    std::lock_guard held(mutex_);
    folder_ = folder;
    changed_.clear();
}

void LearnedIssuers::write(const Tell& tell) {
    std::lock_guard alone(writing_);
    std::map<std::string, std::vector<x509::Certificate>> behind;
    {
        std::lock_guard lock(mutex_);
        if (folder_.empty()) return;
        for (const auto& scope : changed_) behind[scope] = by_scope_[scope];
        changed_.clear();
    }
    if (behind.empty()) return;
    const Folder files(folder_);
    const auto lock = files.lock();
    if (!lock) return tell(lock.failure.text + "; issuers that are fetched are known until the daemon ends");
    for (const auto& [scope, issuers] : behind)
        if (const auto put = files.put(file_of(scope), written(scope, issuers)); !put)
            tell(put.failure.text + "; the issuers of " + (scope.empty() ? "everybody" : scope) +
                 " are known until the daemon ends");
}

}  // namespace postern::tls_mutual
