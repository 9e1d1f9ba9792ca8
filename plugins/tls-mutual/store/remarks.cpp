#include <algorithm>
#include <tls-mutual/store/choice.hpp>
#include <tls-mutual/store/remarks.hpp>
#include <tls-mutual/store/text.hpp>
#include <x509/certificate.hpp>

namespace postern::tls_mutual {
namespace {

constexpr std::string_view no_client_purpose =
    "lacks clientAuth: partners that judge a client by the letter refuse it when we connect to them, Postfix before "
    "3.12 "
    "among them; public CAs stop issuing it by March 2027, so ask for it now or take one of a private CA";
constexpr std::string_view no_server_purpose =
    "lacks serverAuth: nobody can connect to us with it; ask for both purposes";
constexpr std::string_view odd_key =
    "has an Ed25519 key: Exchange and older TLS libraries cannot check it; ecdsa-p256 is read by everybody";
// Names that no public resolver knows (RFC 6761, 6762, 8375 and habit).
constexpr std::string_view private_endings[] = {".local",    ".localdomain", ".lan",       ".internal",
                                                ".intranet", ".corp",        ".private",   ".home",
                                                ".test",     ".invalid",     ".localhost", ".home.arpa"};

std::string host_of(std::string_view url) {
    const auto scheme = url.find("://");
    if (scheme == std::string_view::npos) return {};
    auto rest = url.substr(scheme + 3);
    rest = rest.substr(0, rest.find_first_of("/?#"));
    if (const auto at = rest.rfind('@'); at != std::string_view::npos) rest.remove_prefix(at + 1);
    return lower(rest.substr(0, rest.find(':')));
}

bool digits_and_dots(std::string_view host) {
    return std::ranges::all_of(host, [](char c) { return (c >= '0' && c <= '9') || c == '.'; });
}

// RFC 5280 4.2.1.3 as OpenSSL holds it against a client: a certificate that may not sign cannot prove anything in
// TLS 1.3.
bool may_sign(BytesView der) {
    const auto certificate = x509::Certificate::read(der);
    return !certificate || certificate->may(x509::KeyUse::digital_signature);
}

std::string about_lists(const CertificateFacts& leaf) {
    if (leaf.self_issued) return {};
    if (leaf.crl_urls.empty()) {
        const bool short_lived = leaf.not_after - leaf.not_before <= std::chrono::hours(7 * 24);
        return short_lived ? ""
                           : "names no revocation list: partners that check revocation cannot; ask the CA for a "
                             "distribution point";
    }
    if (std::ranges::any_of(leaf.crl_urls, reachable_by_partners)) return {};
    return "names revocation lists that partners cannot reach (" + joined(leaf.crl_urls) +
           "): ask the CA for a distribution point over http at a public name";
}

}  // namespace

bool reachable_by_partners(std::string_view url) {
    const auto small = lower(url);
    if (!small.starts_with("http://") && !small.starts_with("https://")) return false;
    const auto host = host_of(url);
    if (host.find('.') == std::string::npos || digits_and_dots(host) || host.starts_with('[')) return false;
    return std::ranges::none_of(private_endings, [&](std::string_view ending) { return host.ends_with(ending); });
}

std::vector<std::string> remarks_on(const CertificateFacts& leaf) {
    std::vector<std::string> remarks;
    if (!leaf.client_purpose) remarks.emplace_back(no_client_purpose);
    if (!leaf.server_purpose) remarks.emplace_back(no_server_purpose);
    if (!may_sign(leaf.der))
        remarks.emplace_back("has a keyUsage without digitalSignature: TLS 1.3 cannot use it; ask the CA for it");
    if (key_text(leaf.der) == "Ed25519") remarks.emplace_back(odd_key);
    if (auto lists = about_lists(leaf); !lists.empty()) remarks.push_back(std::move(lists));
    if (names_of(leaf).empty()) remarks.emplace_back("holds no DNS name: no partner can tell whose it is");
    return remarks;
}

std::vector<std::string> remarks_on(const CertificateTerms& terms, KeyType key) {
    std::vector<std::string> remarks;
    if (!terms.client) remarks.emplace_back(no_client_purpose);
    if (!terms.server) remarks.emplace_back(no_server_purpose);
    if (key == KeyType::ed25519) remarks.emplace_back(odd_key);
    return remarks;
}

}  // namespace postern::tls_mutual
