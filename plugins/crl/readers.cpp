#include <algorithm>
#include <charconv>
#include <crl/digest.hpp>
#include <crl/readers.hpp>
#include <filesystem>
#include <fstream>
#include <postern/own_certificates.hpp>
#include <x509/pem.hpp>

namespace postern::crl {
namespace {

constexpr std::string_view magic = "postern-list-readers 1\n";
constexpr std::uintmax_t largest_file = 64u << 20;

std::string title_of(ConnectorKind kind, std::string_view name) {
    return (kind == ConnectorKind::send ? "send_connector " : "receive_connector ") + std::string(name);
}

std::string leaf_in(const std::string& file) {
    std::error_code error;
    if (std::filesystem::file_size(file, error) > (1u << 20) || error) return {};
    std::ifstream stream(file, std::ios::binary);
    const Bytes octets(std::istreambuf_iterator<char>(stream), {});
    const auto chain = x509::read_certificates(octets);
    return chain && !chain->empty() ? digest(chain->front()) : std::string();
}

// A line's fields, one tab between: no field has one.
std::vector<std::string> fields_of(std::string_view line) {
    std::vector<std::string> fields;
    for (std::size_t at = 0; at <= line.size();) {
        const auto end = std::min(line.find('\t', at), line.size());
        fields.emplace_back(line.substr(at, end - at));
        at = end + 1;
    }
    return fields;
}

bool one_field(std::string_view text) {
    return std::ranges::none_of(text, [](unsigned char c) { return c < 32 || c == 127; });
}

}  // namespace

std::string Reader::text() const {
    if (partner.empty()) return "our own certificate (" + connector + ")";
    return (connector.starts_with("send_") ? "mail to " : "mail of ") + partner + " (" + connector + ")";
}

Readers::Certificate* Readers::certificate(const std::string& sha256, Time now) {
    if (certificates_.size() >= most_certificates && !certificates_.contains(sha256))
        std::erase_if(certificates_, [now](const auto& one) { return one.second.seen + std::chrono::hours(24) < now; });
    if (certificates_.size() >= most_certificates && !certificates_.contains(sha256)) return nullptr;
    auto& one = certificates_[sha256];
    one.seen = now;
    return &one;
}

// A stamp of the day is enough to forget by, and spares the disk.
void Readers::note(const std::string& list, const Reader& reader, Time now) {
    if (!one_field(list) || !one_field(reader.partner + reader.connector)) return;
    const auto found = rows_.find(list);
    const auto known = found == rows_.end() ? std::map<Reader, Time>::iterator() : found->second.find(reader);
    const bool fresh = found == rows_.end() || known == found->second.end();
    if (fresh ? count_ >= most_rows : known->second + std::chrono::hours(24) >= now) return;
    count_ += fresh ? 1 : 0;
    rows_[list][reader] = now;
    changed_ = true;
}

void Readers::needs(const std::string& sha256, std::vector<std::string> lists, Time now) {
    std::lock_guard lock(mutex_);
    auto* one = certificate(sha256, now);
    if (!one) return;
    if (lists.size() > most_lists) lists.resize(most_lists);
    one->lists = std::move(lists);
    for (const auto& list : one->lists)
        for (const auto& reader : one->readers) note(list, reader, now);
}

void Readers::shown(const std::string& sha256, const Reader& reader, Time now) {
    std::lock_guard lock(mutex_);
    auto* one = certificate(sha256, now);
    if (!one) return;
    if (std::ranges::find(one->readers, reader) == one->readers.end() && one->readers.size() < most_lists)
        one->readers.push_back(reader);
    for (const auto& list : one->lists) note(list, reader, now);
}

std::vector<Reader> Readers::of(const std::string& list) const {
    std::lock_guard lock(mutex_);
    std::vector<Reader> all;
    if (const auto found = rows_.find(list); found != rows_.end())
        for (const auto& [reader, seen] : found->second) all.push_back(reader);
    return all;
}

void Readers::load(const std::string& file, Time now) {
    std::error_code error;
    if (std::filesystem::file_size(file, error) > largest_file || error) return;
    std::ifstream stream(file, std::ios::binary);
    std::string line;
    if (!std::getline(stream, line) || line + "\n" != magic) return;
    std::lock_guard lock(mutex_);
    while (std::getline(stream, line)) {
        const auto fields = fields_of(line);
        std::int64_t seconds = 0;
        if (fields.size() != 4) continue;
        std::from_chars(fields[0].data(), fields[0].data() + fields[0].size(), seconds);
        const Time seen{std::chrono::seconds(seconds)};
        if (seen + forgotten_after > now && seen <= now + std::chrono::hours(24))
            note(fields[1], {fields[2], fields[3]}, seen);
    }
    changed_ = false;
}

bool Readers::save(const std::string& file, Time now) {
    std::string text(magic);
    {
        std::lock_guard lock(mutex_);
        if (!changed_) return true;
        changed_ = false;
        for (auto& [list, readers] : rows_) {
            count_ -= std::erase_if(readers, [now](const auto& one) { return one.second + forgotten_after < now; });
            for (const auto& [reader, seen] : readers)
                text +=
                    std::to_string(std::chrono::duration_cast<std::chrono::seconds>(seen.time_since_epoch()).count()) +
                    "\t" + list + "\t" + reader.partner + "\t" + reader.connector + "\n";
        }
        std::erase_if(rows_, [](const auto& one) { return one.second.empty(); });
    }
    const auto beside = file + ".new";
    std::error_code error;
    std::ofstream stream(beside, std::ios::binary | std::ios::trunc);
    using std::filesystem::perms;
    std::filesystem::permissions(beside, perms::owner_read | perms::owner_write, error);
    stream << text;
    stream.close();
    if (stream) std::filesystem::rename(beside, file, error);
    return stream && !error;
}

std::optional<std::pair<std::string, Reader>> sighting(const Occurrence& what) {
    const auto detail = [&](std::string_view name) {
        const auto found = std::ranges::find(what.details, name, &Detail::name);
        return found == what.details.end() ? std::string() : found->value;
    };
    const auto kind = detail("direction") == "out" ? ConnectorKind::send : ConnectorKind::receive;
    std::pair<std::string, Reader> seen{detail("certificate"),
                                        {detail("partner"), title_of(kind, detail("connector"))}};
    if (seen.first.empty() || seen.second.partner.empty()) return std::nullopt;
    return seen;
}

void note_own_certificates(Host& host, Readers& readers) {
    auto* store = host.role<OwnCertificates>();
    for (const auto& connector : host.configuration().connectors) {
        if (!connector.tls) continue;
        std::string sha256;
        if (!connector.chain_file.empty()) {
            sha256 = leaf_in(connector.chain_file);
        } else if (store) {
            const auto use = connector.kind == ConnectorKind::send ? CertificateUse::client : CertificateUse::server;
            const auto shown = store->choose({connector.fqdn, use, connector.certificate});
            if (shown) sha256 = shown->certificate().sha256;
        }
        if (!sha256.empty()) readers.shown(sha256, {{}, title_of(connector.kind, connector.name)}, host.now());
    }
}

}  // namespace postern::crl
