#include <filesystem>
#include <fstream>
#include <tls-mutual/trust_scopes.hpp>
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

// Adds every certificate of the file; returns what is wrong with it. `lenient` leaves the undecodable ones out.
std::string add_file(const std::string& path, x509::CertificateIndex& into, bool lenient) {
    const auto octets = contents(path);
    if (!octets) return octets.failure.text;
    const auto blocks = x509::read_certificates(*octets);
    if (!blocks) return path + ": " + blocks.failure.text;
    std::size_t count = 0;
    for (const auto& der : *blocks) {
        ++count;
        auto certificate = x509::Certificate::read(der);
        if (certificate) into.add(std::move(*certificate));
        else if (!lenient)
            return path + ": certificate " + std::to_string(count) + " of the file: " + certificate.failure.text;
    }
    return count == 0 ? path + ": holds no certificate (PEM or DER is wanted)" : "";
}

}  // namespace

Outcome<Ref<TrustScopes>> Scopes::load(const std::vector<TrustScopeFiles>& wanted, const std::string& system_store) {
    auto scopes = make_ref<Scopes>();
    std::string problems;
    const auto note = [&](const std::string& problem) {
        if (!problem.empty()) problems += (problems.empty() ? "" : "; ") + problem;
    };
    std::shared_ptr<x509::CertificateIndex> system;
    for (const auto& files : wanted) {
        auto& scope = scopes->scopes_[files.name];
        if (files.system && !system) {
            system = std::make_shared<x509::CertificateIndex>();
            // A machine without ca-certificates trusts nobody by default; that is no fault of the configuration.
            add_file(system_store, *system, true);
        }
        if (files.system) scope.system = system;
        for (const auto& path : files.files) note(add_file(path, scope.own, false));
        for (const auto& path : files.intermediate_files) note(add_file(path, scope.intermediates, false));
    }
    if (!problems.empty()) return Failure{"roots", problems};
    return Ref<TrustScopes>(scopes);
}

const TrustScope* Scopes::find(std::string_view name) const {
    const auto found = scopes_.find(name);
    return found == scopes_.end() ? nullptr : &found->second;
}

}  // namespace postern::tls_mutual
