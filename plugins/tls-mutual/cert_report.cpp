#include <ctime>
#include <tls-mutual/cert_report.hpp>

namespace postern::tls_mutual {
namespace {

// The verdict with the name counted in: what the judge holds valid or cannot decide is invalid for the wrong domain.
struct Verdict {
    Standing standing;
    std::string reason, sentence;
};

Verdict verdict_of(const Report& report) {
    const auto& judgement = report.judgement;
    if (report.name && !report.name->speaks && judgement.standing != Standing::invalid)
        return {Standing::invalid, "name-mismatch", report.name->sentence};
    return {judgement.standing, judgement.reason, judgement.sentence};
}

int status_of(Standing standing) { return standing == Standing::valid ? 0 : standing == Standing::invalid ? 1 : 75; }

std::string_view word_of(Standing standing) {
    return standing == Standing::valid ? "valid" : standing == Standing::invalid ? "invalid" : "undecided";
}

std::string_view word_of(Purpose purpose) {
    return purpose == Purpose::client ? "client" : purpose == Purpose::server ? "server" : "";
}

std::string_view word_of(RevocationStanding standing) {
    switch (standing) {
        case RevocationStanding::good:
            return "good";
        case RevocationStanding::revoked:
            return "revoked";
        case RevocationStanding::on_hold:
            return "on-hold";
        case RevocationStanding::unusable:
            return "unusable";
        case RevocationStanding::no_source:
            return "no-source";
        case RevocationStanding::short_lived:
            return "short-lived";
        case RevocationStanding::not_checked:
            return "not-checked";
        case RevocationStanding::unknown:
            break;
    }
    return "unknown";
}

std::vector<Finding> findings_of(const Report& report) {
    auto all = report.judgement.findings;
    if (report.name) all.push_back({0, "name", report.name->speaks, "certificate", report.name->sentence});
    return all;
}

std::vector<std::string> notes_of(const Report& report) {
    std::vector<std::string> notes;
    if (!report.purpose_stated) notes.emplace_back("extKeyUsage was not judged: no --purpose");
    if (!report.revocation_asked) notes.emplace_back("revocation was not looked at: neither --crl nor --fetch");
    if (report.legacy) notes.emplace_back("judged by the legacy profile, which mail never uses");
    return notes;
}

std::string iso(Time time) {
    const auto seconds = std::chrono::system_clock::to_time_t(time);
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    char text[40];
    return {text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

// Certificates say what they like: nothing of them breaks a line, and what is no UTF-8 never gets here (x509::Name).
std::string quoted(std::string_view text) {
    std::string out = "\"";
    for (const unsigned char c : text) {
        if (c == '"' || c == '\\') (out += '\\') += static_cast<char>(c);
        else if (c < 32 || c == 127) {
            constexpr char digits[] = "0123456789abcdef";
            ((out += "\\u00") += digits[c >> 4]) += digits[c & 15];
        } else out += static_cast<char>(c);
    }
    return out + "\"";
}

std::string member(std::string_view key, std::string_view value) { return quoted(key) + ": " + quoted(value); }

std::string json_of(const CertificateFacts& facts) {
    return "{" + member("subject", facts.subject) + ", " + member("issuer", facts.issuer) + ", " +
           member("serial", facts.serial) + ", " + member("sha256", facts.sha256) + ", " +
           member("not_before", iso(facts.not_before)) + ", " + member("not_after", iso(facts.not_after)) + "}";
}

std::string json_of(const Finding& finding) {
    return "{\"certificate\": " + std::to_string(finding.certificate) + ", " + member("check", finding.check) +
           ", \"good\": " + (finding.good ? "true" : "false") + ", " + member("source", finding.source) + ", " +
           member("sentence", finding.sentence) + "}";
}

template <class List, class Show>
std::string array(const List& list, Show show) {
    std::string text = "[";
    for (const auto& one : list) text += (text.size() > 1 ? ",\n    " : "\n    ") + show(one);
    return text + (text.size() > 1 ? "\n  ]" : "]");
}

}  // namespace

VerbResult as_text(const Report& report) {
    VerbResult result;
    const auto& path = report.judgement.path;
    for (std::size_t i = 0; i < path.size(); ++i)
        result.out += std::to_string(i) + "     " + path[i].subject + " (serial " + path[i].serial + ", sha256 " +
                      path[i].sha256 + ")\n";
    for (const auto& finding : findings_of(report))
        result.out += std::string(finding.good ? "good  " : "bad   ") + std::to_string(finding.certificate) + " " +
                      finding.check + ": " + finding.sentence +
                      (finding.source.empty() ? "" : " [" + finding.source + "]") + "\n";
    for (const auto& note : notes_of(report)) result.out += "note  " + note + "\n";
    const auto verdict = verdict_of(report);
    const auto word = verdict.standing == Standing::undecided ? "cannot be decided now" : word_of(verdict.standing);
    result.out += std::string(word) + (verdict.reason.empty() ? "" : " (" + verdict.reason + ")") + ": " +
                  verdict.sentence + "\n";
    result.status = status_of(verdict.standing);
    return result;
}

VerbResult as_json(const Report& report) {
    const auto verdict = verdict_of(report);
    const auto& judgement = report.judgement;
    VerbResult result;
    result.status = status_of(verdict.standing);
    result.out = "{\n  " + member("verdict", word_of(verdict.standing)) + ",\n  " + member("reason", verdict.reason) +
                 ",\n  " + member("sentence", verdict.sentence) + ",\n  " + member("purpose", word_of(judgement.held)) +
                 ",\n  " + member("revocation", word_of(judgement.revocation)) +
                 ",\n  \"path\": " + array(judgement.path, [](const CertificateFacts& one) { return json_of(one); }) +
                 ",\n  \"checks\": " + array(findings_of(report), [](const Finding& one) { return json_of(one); }) +
                 ",\n  \"notes\": " + array(notes_of(report), [](const std::string& one) { return quoted(one); }) +
                 "\n}\n";
    return result;
}

}  // namespace postern::tls_mutual
