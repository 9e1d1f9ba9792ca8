#include <algorithm>
#include <tls-mutual/facts.hpp>
#include <tls-mutual/key_file.hpp>
#include <tls-mutual/store/named_files.hpp>
#include <tls-mutual/store/text.hpp>
#include <x509/pem.hpp>

namespace postern::tls_mutual {

static std::vector<Bytes> chain_in(const std::string& file) {
    const auto content = read_guarded(file, Holds::no_secret);
    if (!content) return {};
    auto chain = x509::read_certificates(content->bytes);
    return chain ? std::move(*chain) : std::vector<Bytes>();
}

std::vector<NamedFile> named_files(const ConfigurationView& configured) {
    std::vector<NamedFile> all;
    for (const auto& connector : configured.connectors) {
        const auto& file = connector.chain_file;
        if (!connector.tls || file.empty() ||
            std::ranges::any_of(all, [&](const auto& one) { return one.chain_file == file; }))
            continue;
        NamedFile named{file, {chain_in(file), {}, {}, {}}};
        auto& certificate = named.certificate;
        auto leaf = certificate.chain.empty() ? std::nullopt : read_facts(certificate.chain.front());
        if (!leaf) continue;
        certificate.leaf = std::move(*leaf);
        certificate.title = file + " (" + joined(names_of(certificate.leaf)) + ")";
        all.push_back(std::move(named));
    }
    return all;
}

std::string renewal_of(const NamedFile& named) {
    const auto now = chain_in(named.chain_file);
    const bool another = !now.empty() && now.front() != named.certificate.chain.front();
    return another ? "the file holds another one already, which a reload (SIGHUP) takes up"
                   : "put its successor into the same files and reload (SIGHUP)";
}

}  // namespace postern::tls_mutual
