#include <algorithm>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <tls-mutual/cert_verify.hpp>
#include <tls-mutual/facts.hpp>
#include <x509/pem.hpp>

namespace postern::tls_mutual {
namespace {

namespace fs = std::filesystem;
constexpr int is_valid = 0, is_invalid = 1, usage_error = 2, undecided = 75;
constexpr std::string_view usage =
    "usage: cert verify --trust FILE [--untrusted FILE] [--crl FILE|DIR] [--at-time ISO8601]\n"
    "       [--purpose server|client|any-tls] [--profile modern|legacy] [--domain NAME] [--fetch] CERT\n";

struct Asked {
    std::string trust, untrusted, certificate, domain;
    std::vector<std::string> crls;
    JudgeRequest request;
    bool crl_given = false, fetch = false;
};

std::optional<Time> parse_time(const std::string& text) {
    std::tm parts{};
    const char* end = ::strptime(text.c_str(), "%Y-%m-%dT%H:%M:%S", &parts);
    if (!end) end = ::strptime(text.c_str(), "%Y-%m-%d", &parts);
    if (!end || (std::string_view(end) != "" && std::string_view(end) != "Z")) return std::nullopt;
    return std::chrono::system_clock::from_time_t(::timegm(&parts));
}

// Takes the value of an option; empty, or what is wrong.
std::string take(Asked& asked, const std::string& option, const std::string& value) {
    if (option == "--trust") asked.trust = value;
    else if (option == "--untrusted") asked.untrusted = value;
    else if (option == "--domain") asked.domain = value;
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
        if (words[i] == "--fetch") {
            asked.fetch = true;
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
    if (asked.certificate.empty() || asked.trust.empty())
        return Failure{"usage", asked.certificate.empty() ? "no certificate is named" : "--trust is missing"};
    return asked;
}

Outcome<Bytes> contents(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) return Failure{"usage", path + " cannot be read"};
    return Bytes(std::istreambuf_iterator<char>(file), {});
}

Outcome<std::vector<Bytes>> blocks(const std::string& path, std::string_view label) {
    const auto octets = contents(path);
    if (!octets) return octets.failure;
    auto found = x509::read_blocks(*octets, label);
    if (!found) return Failure{"usage", path + ": " + found.failure.text};
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

std::string standing_text(Standing standing) {
    return standing == Standing::valid ? "valid" : standing == Standing::invalid ? "invalid" : "cannot be decided now";
}

VerbResult describe(const Asked& asked, const Judgement& judgement, const std::optional<NameEvidence>& name) {
    VerbResult result;
    auto standing = judgement.standing;
    for (std::size_t i = 0; i < judgement.path.size(); ++i)
        result.out += std::to_string(i) + "  " + judgement.path[i].subject + " (serial " + judgement.path[i].serial +
                      ", sha256 " + judgement.path[i].sha256 + ")\n";
    for (const auto& finding : judgement.findings)
        result.out += std::string(finding.good ? "good  " : "bad   ") + std::to_string(finding.certificate) + " " +
                      finding.check + ": " + finding.sentence + "\n";
    if (name) {
        result.out += std::string(name->speaks ? "good  " : "bad   ") + "0 name: " + name->sentence + "\n";
        if (!name->speaks) standing = Standing::invalid;
    }
    if (asked.request.purpose == Purpose::unstated) result.out += "note  extKeyUsage was not judged: no --purpose\n";
    if (asked.request.revocation == RevocationMode::off)
        result.out += "note  revocation was not looked at: neither --crl nor --fetch\n";
    const bool by_name = name && !name->speaks && judgement.standing != Standing::invalid;
    result.out += standing_text(standing) + (judgement.reason.empty() ? "" : " (" + judgement.reason + ")") + ": " +
                  (by_name ? name->sentence : judgement.sentence) + "\n";
    result.status = standing == Standing::valid ? is_valid : standing == Standing::invalid ? is_invalid : undecided;
    return result;
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
    const auto wrong = [](const Failure& failure) {
        return VerbResult{usage_error, {}, failure.text + "\n" + std::string(usage)};
    };
    auto asked = parse(words, host_.now());
    if (!asked) return wrong(asked.failure);
    auto leaf = blocks(asked->certificate, "CERTIFICATE");
    if (!leaf) return VerbResult{is_invalid, "invalid: " + leaf.failure.text + "\n", {}};
    if (leaf->empty()) return wrong({{}, asked->certificate + " holds no certificate"});
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
    auto scopes = judge_.load_scopes({{"", false, {asked->trust}, {}}});
    if (!scopes) return wrong(scopes.failure);
    asked->request.scopes = *scopes;
    const auto name = name_evidence(host_, *asked);
    auto answer = Answer<VerbResult>::make();
    auto pending = std::make_shared<Pending<Judgement>>(judge_.judge(asked->request));
    pending->on_ready([pending, answer, name, question = *asked] {
        auto judged = pending->take();
        if (judged) answer.give(describe(question, *judged, name));
        else answer.give({undecided, {}, judged.failure.text + "\n"});
    });
    return answer.pending();
}

}  // namespace postern::tls_mutual
