#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <sstream>
#include <tls-mutual/store/command.hpp>
#include <tls-mutual/store/making.hpp>

namespace postern::tls_mutual {
namespace {

constexpr int refused_status = 1, usage_status = 2, disk_status = 73, not_now_status = 75;

// Answers come from any thread; a command waits for its own.
template <class T>
Outcome<T> wait(Pending<T> pending) {
    struct Bell {
        std::mutex mutex;
        std::condition_variable rung;
        bool there = false;
    };
    const auto bell = std::make_shared<Bell>();
    pending.on_ready([bell] {
        const std::lock_guard held(bell->mutex);
        bell->there = true;
        bell->rung.notify_all();
    });
    std::unique_lock held(bell->mutex);
    bell->rung.wait(held, [&] { return bell->there; });
    held.unlock();
    return pending.take();
}

Judgement undecided(std::string text) {
    Judgement judgement;
    judgement.sentence = std::move(text);
    return judgement;
}

std::string key_place(const StoredCertificate& stored) {
    if (!stored.about.token_key.empty()) return "in a token, cannot leave it";
    return stored.about.exportable ? "here, may leave" : "here, may not leave";
}

}  // namespace

std::vector<Candidate> CommandContext::candidates(const StoreContents& contents) const {
    std::vector<Candidate> all;
    for (const auto& one : contents.certificates) all.push_back(validations.candidate(one));
    return all;
}

std::vector<std::string> CommandContext::users_of(const StoreContents& contents,
                                                  const StoredCertificate& wanted) const {
    std::vector<std::string> users;
    const auto all = candidates(contents);
    for (const auto& connector : host.configuration().connectors) {
        if (!connector.tls || !from_store(connector)) continue;
        const auto ranked = rank(all, wish_of(connector), host.now());
        if (ranked.empty() || !ranked.front().fits) continue;
        const auto* beside = companion(ranked);
        if (ranked.front().candidate->certificate == &wanted || (beside && beside->certificate == &wanted))
            users.push_back(title_of(connector));
    }
    return users;
}

std::vector<std::string> CommandContext::users_now(const StoreContents& contents,
                                                   const StoredCertificate& wanted) const {
    const auto answer = host.ask_daemon({"cert", "users", wanted.leaf.sha256});
    if (!answer || answer->status != 0) return users_of(contents, wanted);
    std::vector<std::string> users;
    std::istringstream lines(answer->out);
    for (std::string line; std::getline(lines, line);) users.push_back(line);
    return users;
}

CertificateWish wish_of(const ConnectorView& connector) {
    const auto use = connector.kind == ConnectorKind::send ? CertificateUse::client : CertificateUse::server;
    return {connector.fqdn, use, connector.certificate};
}

std::string title_of(const ConnectorView& connector) {
    return (connector.kind == ConnectorKind::send ? "send_connector " : "receive_connector ") + connector.name;
}

bool from_store(const ConnectorView& connector) { return connector.chain_file.empty(); }

VerbResult refused(const Failure& failure) {
    const int status = failure.token == "usage"          ? usage_status
                       : failure.token == "cannot-write" ? disk_status
                       : failure.token == "busy"         ? not_now_status
                                                         : refused_status;
    return {status, {}, failure.text + "\n"};
}

VerbResult usage_of(std::string_view usage, const std::string& problem) {
    return {usage_status, {}, problem + "\nusage: postern " + std::string(usage) + "\n"};
}

std::string warnings(const std::vector<std::string>& all) {
    std::string text;
    for (const auto& one : all) text += "warning: " + one + "\n";
    return text;
}

std::optional<Failure> check_friendly_name(const std::string& name) {
    if (fits_one_line(name, longest_friendly_name)) return std::nullopt;
    return Failure{"usage", "--friendly-name takes one line of UTF-8 of at most 128 characters"};
}

std::optional<std::string> never_chosen(const Host& host, const std::vector<std::string>& names) {
    std::vector<std::string> wanted;
    for (const auto& one : host.configuration().connectors) {
        if (!one.tls || !from_store(one)) continue;
        const auto fits = [&](const std::string& name) { return covers(name, one.fqdn) != Covers::no; };
        if (std::ranges::any_of(names, fits)) return std::nullopt;
        if (std::ranges::find(wanted, one.fqdn) == wanted.end()) wanted.push_back(one.fqdn);
    }
    if (wanted.empty()) return std::nullopt;
    return "it covers the fqdn of no connector (" + joined(wanted) + "), so that none chooses it";
}

std::string tell_daemon(Host& host) {
    const auto answer = host.ask_daemon({"cert", "take-up"});
    if (answer && answer->status == 0) return "the daemon has taken it up\n";
    if (!answer && answer.failure.token == "no-daemon") return "no daemon runs; it takes it up when it starts\n";
    return "the daemon has not taken it up (" + trimmed(answer ? answer->err : answer.failure.text) +
           "); send it SIGHUP\n";
}

Judgement judge_now(Host& host, ChainJudge& judge, const std::vector<Bytes>& chain,
                    const std::vector<std::string>& more_roots) {
    auto trust = host.configuration().trust;
    if (trust.files.empty()) trust.system = true;
    trust.name.clear();
    trust.files.insert(trust.files.end(), more_roots.begin(), more_roots.end());
    auto scopes = judge.load_scopes({trust});
    if (!scopes) return undecided(scopes.failure.text);
    JudgeRequest request;
    request.chain = chain;
    request.scopes = *scopes;
    request.purpose = Purpose::connecting;
    request.revocation = RevocationMode::off;  // the daemon looks at lists, hourly
    request.at = host.now();
    auto judged = wait(judge.judge(std::move(request)));
    return judged ? std::move(*judged) : undecided(judged.failure.text);
}

Candidate judged(const StoredCertificate& stored, const Judgement& judgement) {
    Candidate candidate{&stored, Validation::unknown, true, {}};
    if (stored.self_signed()) candidate.why = "self-signed";
    else if (judgement.standing == Standing::valid) candidate.validation = Validation::good;
    else candidate.why = judgement.sentence;
    if (!stored.self_signed() && judgement.standing == Standing::invalid) candidate.validation = Validation::failed;
    return candidate;
}

Json describe(const StoredCertificate& stored, const CommandContext& context) {
    const auto& leaf = stored.leaf;
    const auto candidate = context.validations.candidate(stored);
    Json json;
    json.add("sha256", leaf.sha256)
        .add("sha1", leaf.sha1)
        .add("friendly_name", stored.about.friendly_name)
        .add("subject", leaf.subject)
        .add("issuer", leaf.issuer)
        .add("serial", leaf.serial)
        .add("names", names_of(leaf))
        .add("not_before", utc_moment(leaf.not_before))
        .add("not_after", utc_moment(leaf.not_after))
        .add("key", key_text(leaf.der))
        .add("key_sha256", leaf.key_sha256)
        .add("exportable", stored.about.exportable && stored.about.token_key.empty())
        .add("token", stored.about.token_key)
        .add("services", std::vector<std::string>(stored.about.smtp ? 1 : 0, "smtp"))
        .add("origin", word(stored.about.origin))
        .add("self_signed", stored.self_signed())
        .add("server", leaf.server_purpose)
        .add("client", leaf.client_purpose)
        .add("validation", word(candidate.validation))
        .add("validation_sentence", candidate.why)
        .add("file", stored.file);
    return json;
}

std::string describe_text(const StoredCertificate& stored) {
    const auto& leaf = stored.leaf;
    std::string text = leaf.sha256;
    if (!stored.about.friendly_name.empty()) text += "  \"" + stored.about.friendly_name + "\"";
    text += "\n    subject  " + leaf.subject + "\n    names    " + joined(names_of(leaf)) + "\n    issuer   " +
            (stored.self_signed() ? "itself" : leaf.issuer) + "\n    valid    " + utc_day(leaf.not_before) + " to " +
            utc_day(leaf.not_after) + "\n    services " + (stored.about.smtp ? "smtp" : "none") + "\n    key      " +
            key_text(leaf.der) + ", " + key_place(stored) + "\n    sha1     " + leaf.sha1 + "\n";
    return text;
}

}  // namespace postern::tls_mutual
