#include <algorithm>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <tls-mutual/cert_report.hpp>
#include <tls-mutual/cert_verify.hpp>
#include <tls-mutual/facts.hpp>
#include <tls-mutual/store/text.hpp>
#include <x509/name.hpp>
#include <x509/pem.hpp>

namespace postern::tls_mutual {
namespace {

namespace fs = std::filesystem;
constexpr int is_invalid = 1, usage_error = 2, undecided = 75;
constexpr std::uintmax_t largest_file = 128u << 20;
constexpr std::string_view usage =
    "usage: cert verify [--trust FILE] [--untrusted FILE] [--crl FILE|DIR] [--at-time ISO8601]\n"
    "       [--purpose server|client|any-tls] [--profile modern|legacy] [--domain NAME] [--fetch] [--json] CERT\n";

struct Asked {
    std::string trust, untrusted, certificate, domain;
    std::vector<std::string> crls;
    JudgeRequest request;
    bool fetch = false, json = false;
};

std::optional<Time> parse_time(const std::string& text) {
    std::tm parts{};
    const char* end = ::strptime(text.c_str(), "%Y-%m-%dT%H:%M:%S", &parts);
    if (!end) end = ::strptime(text.c_str(), "%Y-%m-%dT%H:%M", &parts);
    if (!end) end = ::strptime(text.c_str(), "%Y-%m-%d", &parts);
    if (!end || (std::string_view(end) != "" && std::string_view(end) != "Z")) return std::nullopt;
    return std::chrono::system_clock::from_time_t(::timegm(&parts));
}

// The name matcher wants lower-case A-labels without a trailing dot.
std::string take_domain(Asked& asked, std::string_view value) {
    if (value.ends_with('.')) value.remove_suffix(1);
    const auto plain = [](unsigned char c) { return c > 32 && c < 127; };
    if (value.empty() || !std::ranges::all_of(value, plain))
        return "--domain wants a name in ASCII; write an international one as its A-label (xn--...)";
    asked.domain = x509::fold_ascii(value);
    return {};
}

// Takes the value of an option; empty, or what is wrong.
std::string take(Asked& asked, const std::string& option, const std::string& value) {
    if (option == "--trust") asked.trust = value;
    else if (option == "--untrusted") asked.untrusted = value;
    else if (option == "--domain") return take_domain(asked, value);
    else if (option == "--crl") asked.crls.push_back(value);
    else if (option == "--at-time") {
        const auto time = parse_time(value);
        if (!time) return "--at-time wants 2026-10-02T14:00:00Z, not " + value;
        asked.request.at = *time;
    } else if (option == "--purpose") {
        if (value != "server" && value != "client" && value != "any-tls")
            return "--purpose knows server, client, any-tls";
        asked.request.purpose = value == "server"   ? Purpose::server
                                : value == "client" ? Purpose::client
                                                    : Purpose::connecting;
    } else if (option == "--profile") {
        if (value != "modern" && value != "legacy") return "--profile knows modern and legacy";
        asked.request.profile = value == "legacy" ? Profile::legacy : Profile::modern;
    } else {
        return "there is no option " + option;
    }
    return {};
}

Outcome<Asked> parse(const std::vector<std::string>& words, Time now) {
    Asked asked;
    asked.request.at = now;
    asked.request.purpose = Purpose::unstated;
    for (std::size_t i = 2; i < words.size(); ++i) {
        if (words[i] == "--fetch" || words[i] == "--json") {
            (words[i] == "--fetch" ? asked.fetch : asked.json) = true;
        } else if (words[i].starts_with("--")) {
            if (i + 1 == words.size()) return Failure{"usage", words[i] + " wants a value"};
            if (auto problem = take(asked, words[i], words[i + 1]); !problem.empty()) return Failure{"usage", problem};
            ++i;
        } else if (asked.certificate.empty()) {
            asked.certificate = words[i];
        } else {
            return Failure{"usage", "one certificate at a time: " + words[i]};
        }
    }
    if (asked.certificate.empty()) return Failure{"usage", "no certificate is named"};
    if (asked.fetch && !asked.crls.empty())
        return Failure{"usage", "--crl and --fetch exclude each other: lists are given, or they are fetched"};
    return asked;
}

Outcome<Bytes> contents(const std::string& path) {
    std::error_code error;
    const auto size = fs::is_directory(path, error) ? std::uintmax_t{0} : fs::file_size(path, error);
    if (error || fs::is_directory(path))
        return Failure{"usage", path + ": " + (error ? error.message() : "is a folder")};
    if (size > largest_file) return Failure{"usage", path + ": is larger than 128 MB"};
    std::ifstream file(path, std::ios::binary);
    if (!file) return Failure{"usage", path + " cannot be read by this user"};
    return Bytes(std::istreambuf_iterator<char>(file), {});
}

Outcome<std::vector<Bytes>> blocks(const std::string& path, std::string_view label) {
    const auto octets = contents(path);
    if (!octets) return octets.failure;
    auto found = x509::read_blocks(*octets, label);
    if (!found) return Failure{"unreadable", path + ": " + found.failure.text};
    return found;
}

// A list that does not decode is no list: it decides nothing, and the others still may.
std::optional<Failure> add_lists(const std::string& path, std::vector<Bytes>& into) {
    std::error_code error;
    std::vector<std::string> files{path};
    if (fs::is_directory(path, error)) {
        files.clear();
        for (const auto& one : fs::directory_iterator(path, error)) files.push_back(one.path().string());
        std::ranges::sort(files);
    }
    for (const auto& file : files) {
        const auto octets = contents(file);
        if (!octets) return octets.failure;
        if (auto found = x509::read_blocks(*octets, "X509 CRL"))
            for (auto& der : *found) into.push_back(std::move(der));
    }
    return std::nullopt;
}

// The file that was named, else what the configuration trusts: for the domain of a partner with roots of its own those,
// as the daemon has it (an exact entry, then the longest suffix), else everybody's.
std::vector<TrustScopeFiles> trust_of(Host& host, const Asked& asked) {
    if (!asked.trust.empty()) return {{"", false, {asked.trust}, {}}};
    const auto fits = [&](const std::string& entry) {
        return entry.empty() || entry == asked.domain ||
               (entry.starts_with('.') && asked.domain.size() > entry.size() && asked.domain.ends_with(entry));
    };
    std::optional<TrustScopeFiles> best;
    for (auto& scope : host.trust_scopes()) {
        if (!fits(scope.name)) continue;
        const bool exact = best && best->name == asked.domain && !asked.domain.empty();
        if (!best || scope.name == asked.domain || (!exact && scope.name.size() > best->name.size()))
            best = std::move(scope);
    }
    return best ? std::vector{std::move(*best)} : std::vector<TrustScopeFiles>();
}

std::optional<NameEvidence> name_evidence(Host& host, const Asked& asked) {
    if (asked.domain.empty()) return std::nullopt;
    auto* matcher = host.role<NameMatcher>();
    const auto leaf = read_facts(asked.request.chain.front());
    if (!matcher || !leaf)
        return NameEvidence{
            false, {}, matcher ? "the certificate cannot be read" : "the plugin name-matching is not loaded"};
    return matcher->speaks_for(*leaf, asked.domain, {});
}

}  // namespace

std::vector<VerbSpec> CertVerify::verbs() const {
    return {{"cert verify", std::string(usage.substr(7, usage.size() - 8)),
             "judge a certificate as the daemon would; exit 0 valid, 1 invalid, 75 undecided", VerbRuns::here}};
}

Pending<VerbResult> CertVerify::run(std::vector<std::string> words) {
    const auto wrong = [json = std::ranges::count(words, "--json") > 0](const Failure& failure) {
        return VerbResult{usage_error, json ? error_json(failure.text, usage_error) : std::string(),
                          failure.text + "\n" + std::string(usage)};
    };
    auto asked = parse(words, host_.now());
    if (!asked) return wrong(asked.failure);
    auto leaf = blocks(asked->certificate, "CERTIFICATE");
    // A file that is there and holds nonsense is a certificate that is not valid; one that is not there is a mistyped
    // name.
    if (!leaf && leaf.failure.token != "unreadable") return wrong(leaf.failure);
    if (!leaf || leaf->empty()) {
        Report none;
        none.judgement.standing = Standing::invalid;
        none.judgement.reason = "broken-constraint";
        none.judgement.sentence = leaf ? asked->certificate + " holds no certificate (PEM or DER)" : leaf.failure.text;
        return asked->json ? as_json(none) : as_text(none);
    }
    asked->request.chain = std::move(*leaf);
    if (!asked->untrusted.empty()) {
        auto more = blocks(asked->untrusted, "CERTIFICATE");
        if (!more) return wrong(more.failure);
        for (auto& der : *more) asked->request.chain.push_back(std::move(der));
    }
    asked->request.only_explicit_crls = !asked->crls.empty();
    for (const auto& path : asked->crls)
        if (auto failure = add_lists(path, asked->request.explicit_crls)) return wrong(*failure);
    asked->request.revocation = asked->crls.empty() && !asked->fetch ? RevocationMode::off : RevocationMode::hard;
    // Lists given: every certificate but the anchor needs one (PKITS 4.4).
    if (!asked->crls.empty()) asked->request.revocation_source = RevocationSource::always;
    asked->request.may_fetch = asked->fetch && asked->crls.empty();
    // A command applies no settings: the rules for fetching are the block's all the same.
    if (asked->fetch) judge_.fetch_by(learning_rules(host_.settings()));
    const auto trusted = trust_of(host_, *asked);
    if (trusted.empty())
        return wrong({{}, "--trust is missing: without a configuration name the file with the roots to judge by"});
    asked->request.scope = trusted.front().name;
    auto scopes = judge_.load_scopes(trusted);
    if (!scopes) return wrong(scopes.failure);
    asked->request.scopes = *scopes;
    Report report;
    report.name = name_evidence(host_, *asked);
    report.purpose_stated = asked->request.purpose != Purpose::unstated;
    report.revocation_asked = asked->request.revocation != RevocationMode::off;
    report.legacy = asked->request.profile == Profile::legacy;
    auto answer = Answer<VerbResult>::make();
    auto judged = asked->fetch ? judge_.judge_and_learn(asked->request) : judge_.judge(asked->request);
    auto pending = std::make_shared<Pending<Judgement>>(std::move(judged));
    pending->on_ready([pending, answer, report = std::move(report), json = asked->json]() mutable {
        auto done = pending->take();
        if (!done) return answer.give({undecided, {}, done.failure.text + "\n"});
        report.judgement = std::move(*done);
        answer.give(json ? as_json(report) : as_text(report));
    });
    return answer.pending();
}

}  // namespace postern::tls_mutual
