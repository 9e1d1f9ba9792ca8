#include <algorithm>
#include <tls-mutual/store/cert_list.hpp>
#include <tls-mutual/store/making.hpp>
#include <tls-mutual/store/remarks.hpp>

namespace postern::tls_mutual {
namespace {

Json describe(const PendingRequest& request) {
    Json json;
    json.add("key_sha256", request.key_sha256)
        .add("friendly_name", request.about.friendly_name)
        .add("subject", request.subject)
        .add("names", request.names)
        .add("file", request.file);
    return json;
}

std::string describe_text(const PendingRequest& request) {
    std::string text = "pending " + request.key_sha256;
    if (!request.about.friendly_name.empty()) text += "  \"" + request.about.friendly_name + "\"";
    return text + "\n    subject  " + request.subject + "\n    names    " + joined(request.names) +
           "\n    waits for its answer: postern cert import FILE\n";
}

std::vector<std::string> texts_of(const std::vector<Failure>& failures) {
    std::vector<std::string> texts;
    for (const auto& one : failures) texts.push_back(one.text);
    return texts;
}

std::string damaged_text(const StoreContents& contents) {
    std::string text;
    for (const auto& one : contents.damaged) text += one.text + "\n";
    return text;
}

// Best first for the use of servers, as the paper's Get-ExchangeCertificate shows them; all others behind.
std::vector<const StoredCertificate*> in_order(const CommandContext& context, const StoreContents& contents,
                                               const std::string& domain) {
    std::vector<const StoredCertificate*> all;
    if (domain.empty()) {
        for (const auto& one : contents.certificates) all.push_back(&one);
        return all;
    }
    const auto candidates = context.candidates(contents);
    for (const auto& one : rank(candidates, {domain, CertificateUse::server, {}}, context.host.now()))
        if (covers(one.candidate->certificate->leaf, domain) != Covers::no) all.push_back(one.candidate->certificate);
    return all;
}

// One question of `cert which`: for whom, and what to choose for.
struct Asked {
    std::string title;
    CertificateWish wish;
    std::string chain_file;  // the configuration names a file: nothing is chosen
};

Json answer_json(const Asked& asked, const std::vector<Ranked>& ranked) {
    Json json;
    json.add("for", asked.title).add("fqdn", asked.wish.fqdn);
    json.add("use", asked.wish.use == CertificateUse::client ? "client" : "server");
    if (!asked.chain_file.empty()) return json.add("file", asked.chain_file);
    std::vector<Json> others;
    for (const auto& one : ranked) {
        Json row;
        row.add("sha256", one.candidate->certificate->leaf.sha256)
            .add("friendly_name", one.candidate->certificate->about.friendly_name)
            .add("fits", one.fits)
            .add("reason", one.reason);
        if (&one == &ranked.front() && one.fits) json.add("chosen", row);
        else others.push_back(row);
    }
    if (const auto* beside = companion(ranked)) json.add("beside", beside->certificate->leaf.sha256);
    return json.add("others", others);
}

// RSA stands behind: see identities.cpp.
std::string beside_text(const Candidate& beside) {
    return key_text(beside.certificate->leaf.der).starts_with("RSA")
               ? " (and is shown to peers that cannot check the other's kind of key)"
               : " (and is shown to peers that can check its kind of key)";
}

std::string answer_text(const Asked& asked, const std::vector<Ranked>& ranked) {
    std::string text = asked.title + " (" + asked.wish.fqdn + ", as " +
                       (asked.wish.use == CertificateUse::client ? "client" : "server") + ")\n";
    if (!asked.chain_file.empty()) return text + "    the configuration names " + asked.chain_file + "\n";
    const auto* beside = companion(ranked);
    if (ranked.empty() || !ranked.front().fits)
        text +=
            "    nothing fits" + std::string(ranked.empty() ? ": the store is empty; see postern cert new" : "") + "\n";
    for (const auto& one : ranked) {
        const bool chosen = &one == &ranked.front() && one.fits;
        text += std::string(chosen                    ? "  * "
                            : one.candidate == beside ? "  + "
                                                      : "    ") +
                one.candidate->certificate->leaf.sha256.substr(0, 16) + "  " + one.reason +
                (one.candidate == beside ? beside_text(*beside) : std::string()) + "\n";
    }
    return text;
}

Outcome<std::vector<Asked>> questions(const ConfigurationView& view, const Arguments& arguments) {
    std::vector<Asked> all;
    const auto domain = arguments.value("--domain"), connector = arguments.value("--connector");
    if (!domain.empty()) {
        auto name = check_dns_name(domain);
        if (!name) return name.failure;
        all.push_back({"a server for " + name->name, {name->name, CertificateUse::server, {}}, {}});
        all.push_back({"a client for " + name->name, {name->name, CertificateUse::client, {}}, {}});
        return all;
    }
    for (const auto& one : view.connectors)
        if (one.tls && (connector.empty() || one.name == connector))
            all.push_back({title_of(one), wish_of(one), one.chain_file});
    if (all.empty() && !connector.empty())
        return Failure{"not-found", "no connector with TLS is called " + connector + "; see the configuration"};
    if (all.empty()) return Failure{"usage", "there is no configuration to take connectors from: give --domain NAME"};
    return all;
}

}  // namespace

VerbResult cert_list(const CommandContext& context, const Arguments& arguments) {
    const auto contents = context.store.read();
    const auto all = in_order(context, contents, lower(arguments.value("--domain")));
    VerbResult result{0, {}, damaged_text(contents)};
    if (arguments.has("--json")) {
        std::vector<Json> certificates, requests;
        for (const auto* one : all) certificates.push_back(tls_mutual::describe(*one, context));
        for (const auto& one : contents.requests) requests.push_back(describe(one));
        result.out = Json()
                         .add("certificates", certificates)
                         .add("requests", requests)
                         .add("damaged", texts_of(contents.damaged))
                         .text() +
                     "\n";
        return result;
    }
    for (const auto* one : all) result.out += tls_mutual::describe_text(*one);
    if (!arguments.has("--domain"))
        for (const auto& one : contents.requests) result.out += describe_text(one);
    if (result.out.empty())
        result.out = arguments.has("--domain") ? "no certificate covers " + arguments.value("--domain") + "\n"
                                               : context.store.path() + " holds no certificate; see postern cert new\n";
    return result;
}

VerbResult cert_show(const CommandContext& context, const Arguments& arguments) {
    const auto contents = context.store.read();
    if (const auto* request = contents.request_for(lower(arguments.plain().front())))
        return {0, arguments.has("--json") ? describe(*request).text() + "\n" : describe_text(*request), {}};
    const auto found = contents.find(arguments.plain().front());
    if (!found) return refused(found.failure);
    const auto& stored = **found;
    const auto users = context.users_of(contents, stored);
    const auto remarks = remarks_on(stored.leaf);
    if (arguments.has("--json"))
        return {
            0, tls_mutual::describe(stored, context).add("used_by", users).add("remarks", remarks).text() + "\n", {}};
    const auto candidate = context.validations.candidate(stored);
    auto text = tls_mutual::describe_text(stored);
    text += "    serial   " + stored.leaf.serial + "\n    purposes " + (stored.leaf.server_purpose ? "server " : "") +
            (stored.leaf.client_purpose ? "client" : "") + "\n    chain    " + std::to_string(stored.chain.size()) +
            " certificates\n    standing " + std::string(word(candidate.validation)) +
            (candidate.why.empty() ? "" : ": " + candidate.why) + "\n    used by  " +
            (users.empty() ? "no connector" : joined(users)) + "\n    file     " + stored.file + "\n";
    for (const auto& one : remarks) text += "    note     " + one + "\n";
    return {0, text, {}};
}

VerbResult cert_users(const CommandContext& context, const Arguments& arguments) {
    const auto contents = context.store.read();
    const auto found = contents.find(arguments.plain().front());
    if (!found) return refused(found.failure);
    std::string lines;
    for (const auto& one : context.users_of(contents, **found)) lines += one + "\n";
    return {0, lines, {}};
}

VerbResult cert_which(const CommandContext& context, const Arguments& arguments) {
    const auto asked = questions(context.host.configuration(), arguments);
    if (!asked) return refused(asked.failure);
    const auto contents = context.store.read();
    const auto candidates = context.candidates(contents);
    VerbResult result{0, {}, damaged_text(contents)};
    std::vector<Json> answers;
    for (const auto& one : *asked) {
        const auto ranked = rank(candidates, one.wish, context.host.now());
        const bool found = !one.chain_file.empty() || (!ranked.empty() && ranked.front().fits);
        if (!found) result.status = 1;
        result.out += answer_text(one, ranked);
        answers.push_back(answer_json(one, ranked));
    }
    if (arguments.has("--json")) result.out = json_array(answers) + "\n";
    return result;
}

}  // namespace postern::tls_mutual
