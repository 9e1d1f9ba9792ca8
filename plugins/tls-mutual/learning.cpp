#include <postern/units.hpp>
#include <tls-mutual/learning.hpp>
#include <x509/pkcs7.hpp>

namespace postern::tls_mutual {
namespace {

constexpr std::uint64_t largest_answer = 256 * 1024;

std::optional<std::uint16_t> port(std::string_view text) {
    const auto number = parse_with_unit(text, {{"", 1}});
    if (!number || *number == 0 || *number > 65535) return std::nullopt;
    return static_cast<std::uint16_t>(*number);
}

// RFC 5280 4.2.2.1 allows ldap too; CAs serve their certificates over http.
std::string scheme_of(std::string_view url) {
    for (const std::string_view scheme : {"http", "https"})
        if (url.size() > scheme.size() + 3 && x509::fold_ascii(url.substr(0, scheme.size())) == scheme &&
            url.substr(scheme.size(), 3) == "://")
            return std::string(scheme);
    return {};
}

}  // namespace

std::string IssuerFetch::next_of(const std::vector<std::string>& urls) {
    for (const auto& url : urls)
        if (!scheme_of(url).empty() && tried_.size() < most_urls && tried_.insert(url).second) return url;
    return {};
}

void IssuerFetch::fetch(const std::string& url, Done done) {
    auto* fetcher = host_.role<Fetcher>(scheme_of(url));
    if (!fetcher) {
        problems_ +=
            (problems_.empty() ? "" : "; ") + url + ": no plugin fetches it (proxy-winhttp brings http and https)";
        return done({});
    }
    FetchRequest request;
    request.url = url;
    request.rules = rules_;
    request.rules.own_domains = host_.own_domains();
    request.rules.bytes = largest_answer;
    auto pending = std::make_shared<Pending<FetchAnswer>>(fetcher->fetch(std::move(request)));
    // Away from the fetcher's thread: it has others to serve, and what follows checks signatures.
    pending->on_ready([this, url, pending, done = std::move(done)] {
        host_.offload([this, url, pending, done] { done(read(url, pending->take())); });
    });
}

std::vector<x509::Certificate> IssuerFetch::read(const std::string& url, Outcome<FetchAnswer> answer) {
    const auto problem = [&](const std::string& text) {
        problems_ += (problems_.empty() ? "" : "; ") + (text.starts_with(url) ? text : url + ": " + text);
        return std::vector<x509::Certificate>();
    };
    if (!answer) return problem(answer.failure.text);
    const auto found = x509::read_issuer_certificates(answer->body);
    if (!found) return problem(found.failure.text);
    std::vector<x509::Certificate> certificates;
    for (const auto& der : *found)
        if (auto certificate = x509::Certificate::read(der)) certificates.push_back(std::move(*certificate));
    return certificates.empty() ? problem("the certificate there cannot be read") : certificates;
}

std::vector<KeySpec> learning_keys() {
    return {
        {"aia_hosts", KeyKind::list, "",
         "Hosts that missing intermediates may be fetched from although they are ours or private."},
        {"aia_ports", KeyKind::list, "", "Ports that their URLs may name; none: the scheme's own."},
        {"aia_allow_private", KeyKind::yes_no, "no", "Fetch them from loopback and private addresses too: for a lab."},
    };
}

std::vector<SettingsProblem> check_learning(const SettingsNode& node) {
    std::vector<SettingsProblem> problems;
    if (const auto* ports = node.find("aia_ports"))
        for (const auto& entry : ports->children)
            if (!port(entry.key))
                problems.push_back(
                    {entry.file, entry.line, "aia_ports", "\"" + entry.key + "\" is no port (1 to 65535)"});
    return problems;
}

FetchRules learning_rules(const SettingsNode& node) {
    FetchRules rules;
    rules.allowed_hosts = node.list("aia_hosts");
    for (const auto& one : node.list("aia_ports"))
        if (const auto number = port(one)) rules.allowed_ports.push_back(*number);
    rules.allow_private = node.text("aia_allow_private", "no") == "yes";
    return rules;
}

}  // namespace postern::tls_mutual
