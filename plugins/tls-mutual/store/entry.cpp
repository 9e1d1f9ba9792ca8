#include <algorithm>
#include <array>
#include <optional>
#include <tls-mutual/facts.hpp>
#include <tls-mutual/identity.hpp>
#include <tls-mutual/store/entry.hpp>
#include <tls-mutual/store/making.hpp>
#include <x509/pem.hpp>

namespace postern::tls_mutual {
namespace {

constexpr std::string_view title = "# Postern certificate store, version 1: changed by `postern cert` alone";
constexpr std::array<std::string_view, 4> origins{"automatic", "self-signed", "request", "imported"};

BytesView octets(std::string_view text) { return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}; }

Failure damaged(const std::string& file, const std::string& what) {
    return {"store-damaged", file + ": " + what + "; restore it from a backup, or move it out of the store"};
}

// The lines before the first PEM block. Unknown names are refused: a later version means something by them.
std::optional<std::string> read_attributes(std::string_view pem, Attributes& about) {
    pem = pem.substr(0, pem.find("-----BEGIN "));
    while (!pem.empty()) {
        const auto end = std::min(pem.find('\n'), pem.size());
        const auto line = pem.substr(0, end);
        pem.remove_prefix(std::min(end + 1, pem.size()));
        if (line.empty() || line.front() == '#') continue;
        const auto colon = line.find(": ");
        const auto name = line.substr(0, colon);
        const auto value = colon == std::string_view::npos ? std::string_view() : line.substr(colon + 2);
        if (name == "friendly-name") about.friendly_name = value;
        else if (name == "exportable") about.exportable = value == "yes";
        else if (name == "services") about.smtp = value == "smtp";
        else if (name == "key") about.token_key = value;
        else if (name == "origin" && std::ranges::count(origins, value) == 1)
            about.origin = static_cast<Origin>(std::ranges::find(origins, value) - origins.begin());
        else return "holds a line that this version does not know (" + std::string(line.substr(0, 40)) + ")";
    }
    return std::nullopt;
}

std::string head(const Attributes& about) {
    std::string text(title);
    text += "\nfriendly-name: " + about.friendly_name;
    text += std::string("\nexportable: ") + (about.exportable ? "yes" : "no");
    text += std::string("\nservices: ") + (about.smtp ? "smtp" : "none");
    text += "\norigin: " + std::string(word(about.origin));
    if (!about.token_key.empty()) text += "\nkey: " + about.token_key;
    return text + "\n";
}

// The key comes last and into room that is there: nothing else in memory gets to hold it.
std::string with_key(std::string text, std::string_view key_pem) {
    text.reserve(text.size() + key_pem.size() + 1);
    text += key_pem;
    if (!text.ends_with('\n')) text += '\n';
    return text;
}

}  // namespace

std::string_view word(Origin origin) { return origins[static_cast<std::size_t>(origin)]; }

std::string pem_block(BytesView der, std::string_view label) {
    const auto datum = borrowed(der);
    OwnedDatum pem;
    const std::string name(label);
    if (gnutls_pem_base64_encode2(name.c_str(), &datum, &pem.datum) != 0) return {};
    return std::string(reinterpret_cast<const char*>(pem.datum.data), pem.datum.size);
}

std::string_view key_block(std::string_view pem) {
    constexpr std::string_view begin = "-----BEGIN PRIVATE KEY-----", end = "-----END PRIVATE KEY-----";
    const auto from = pem.find(begin);
    if (from == std::string_view::npos) return {};
    const auto to = pem.find(end, from);
    if (to == std::string_view::npos) return {};
    return pem.substr(from, to + end.size() - from);
}

Outcome<StoredCertificate> read_certificate_file(std::string_view pem, const std::string& file) {
    StoredCertificate stored;
    stored.file = file;
    if (const auto bad = read_attributes(pem, stored.about)) return damaged(file, *bad);
    auto chain = x509::read_certificates(octets(pem));
    if (!chain) return damaged(file, chain.failure.text);
    if (chain->empty()) return damaged(file, "holds no certificate");
    stored.chain = std::move(*chain);
    auto facts = read_facts(stored.chain.front());
    if (!facts) return damaged(file, "its certificate cannot be read");
    stored.leaf = std::move(*facts);
    if (stored.about.token_key.empty() && key_block(pem).empty()) return damaged(file, "its private key is missing");
    return stored;
}

Outcome<PendingRequest> read_request_file(std::string_view pem, const std::string& file) {
    PendingRequest request;
    request.file = file;
    if (const auto bad = read_attributes(pem, request.about)) return damaged(file, *bad);
    auto blocks = x509::read_blocks(octets(pem), "CERTIFICATE REQUEST");
    if (!blocks || blocks->size() != 1) return damaged(file, "holds no certificate request");
    request.der = std::move(blocks->front());
    if (auto bad = describe_request(request)) return damaged(file, *bad);
    return request;
}

std::string certificate_file(const Attributes& about, const std::vector<Bytes>& chain, std::string_view key_pem) {
    auto text = head(about);
    for (const auto& der : chain) text += pem_block(der, "CERTIFICATE");
    return with_key(std::move(text), key_pem);
}

std::string request_file(const Attributes& about, BytesView request, std::string_view key_pem) {
    return with_key(head(about) + pem_block(request, "CERTIFICATE REQUEST"), key_pem);
}

}  // namespace postern::tls_mutual
