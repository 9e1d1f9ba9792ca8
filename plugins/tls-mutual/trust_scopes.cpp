#include <filesystem>
#include <fstream>
#include <tls-mutual/trust_scopes.hpp>
#include <tuple>
#include <x509/pem.hpp>

namespace postern::tls_mutual {
namespace {

constexpr std::uintmax_t largest_file = 64u << 20;

Outcome<Bytes> contents(const std::string& path) {
    std::error_code error;
    const auto size = std::filesystem::file_size(path, error);
    if (error) return Failure{"roots", path + ": " + error.message()};
    if (size > largest_file) return Failure{"roots", path + ": is larger than 64 MB, and so no file of certificates"};
    std::ifstream file(path, std::ios::binary);
    Bytes octets((std::istreambuf_iterator<char>(file)), {});
    if (!file) return Failure{"roots", path + ": cannot be read by this user"};
    return octets;
}

struct File {
    std::vector<x509::Certificate> certificates;
    std::string problem;
};

// Every certificate of the file. `lenient` leaves the undecodable ones out.
File read_file(const std::string& path, bool lenient) {
    const auto octets = contents(path);
    if (!octets) return {{}, octets.failure.text};
    const auto blocks = x509::read_certificates(*octets);
    if (!blocks) return {{}, path + ": " + blocks.failure.text};
    File file;
    std::size_t count = 0;
    for (const auto& der : *blocks) {
        ++count;
        auto certificate = x509::Certificate::read(der);
        if (certificate) file.certificates.push_back(std::move(*certificate));
        else if (!lenient)
            return {{}, path + ": certificate " + std::to_string(count) + " of the file: " + certificate.failure.text};
    }
    if (count == 0) file.problem = path + ": holds no certificate (PEM or DER is wanted)";
    return file;
}

// One load: what it has read already, and the scopes made of it.
class Reading {
public:
    explicit Reading(const std::string& system_store) : system_store_(system_store) {}

    std::shared_ptr<const TrustScope> scope(const TrustScopeFiles& wanted) {
        auto& known = scopes_[{wanted.system, wanted.files, wanted.intermediate_files}];
        if (known) return known;
        auto scope = std::make_shared<TrustScope>();
        if (wanted.system) scope->system = system();
        for (const auto& path : wanted.files) add(path, scope->own);
        for (const auto& path : wanted.intermediate_files) add(path, scope->intermediates);
        return known = std::move(scope);
    }
    std::string problems() const {
        std::string all;
        for (const auto& [path, file] : files_)
            if (!file.problem.empty()) all += (all.empty() ? "" : "; ") + file.problem;
        return all;
    }

private:
    std::shared_ptr<const x509::CertificateIndex> system() {
        if (system_) return system_;
        system_ = std::make_shared<x509::CertificateIndex>();
        // A machine without ca-certificates trusts nobody by default; that is no fault of the configuration.
        for (auto& certificate : read_file(system_store_, true).certificates) system_->add(std::move(certificate));
        return system_;
    }
    void add(const std::string& path, x509::CertificateIndex& into) {
        auto known = files_.find(path);
        if (known == files_.end()) known = files_.emplace(path, read_file(path, false)).first;
        for (const auto& certificate : known->second.certificates) into.add(certificate);
    }

    const std::string& system_store_;
    std::shared_ptr<x509::CertificateIndex> system_;
    std::map<std::string, File> files_;
    std::map<std::tuple<bool, std::vector<std::string>, std::vector<std::string>>, std::shared_ptr<const TrustScope>>
        scopes_;
};

}  // namespace

Outcome<Ref<TrustScopes>> Scopes::load(const std::vector<TrustScopeFiles>& wanted, const std::string& system_store) {
    auto scopes = make_ref<Scopes>();
    Reading reading(system_store);
    for (const auto& files : wanted) scopes->scopes_[files.name] = reading.scope(files);
    if (const auto problems = reading.problems(); !problems.empty()) return Failure{"roots", problems};
    return Ref<TrustScopes>(scopes);
}

std::uint64_t Scopes::next_generation() {
    static std::atomic<std::uint64_t> last{0};
    return ++last;
}

const TrustScope* Scopes::find(std::string_view name) const {
    const auto found = scopes_.find(name);
    return found == scopes_.end() ? nullptr : found->second.get();
}

}  // namespace postern::tls_mutual
