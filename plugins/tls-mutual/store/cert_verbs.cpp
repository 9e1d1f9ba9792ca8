#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <tls-mutual/store/cert_change.hpp>
#include <tls-mutual/store/cert_export.hpp>
#include <tls-mutual/store/cert_import.hpp>
#include <tls-mutual/store/cert_list.hpp>
#include <tls-mutual/store/cert_new.hpp>
#include <tls-mutual/store/cert_verbs.hpp>

namespace postern::tls_mutual {
namespace {

using Call = VerbResult (*)(const CommandContext&, const Arguments&);

struct Row {
    std::string_view word;
    Call call;  // null: take-up
    VerbRuns runs;
    std::size_t plain;  // arguments without --, all needed
    std::vector<Option> options;
    std::string_view usage, help;
};

std::vector<Option> naming_options(std::vector<Option> more) {
    std::vector<Option> all{{"--subject"},
                            {"--domain", Takes::many},
                            {"--include-accepted-domains", Takes::nothing},
                            {"--connector"},
                            {"--friendly-name"},
                            {"--key"},
                            {"--purpose"},
                            {"--token"},
                            {"--pin-file"},
                            {"--exportable", Takes::nothing},
                            {"--json", Takes::nothing}};
    all.insert(all.end(), more.begin(), more.end());
    return all;
}

const std::vector<Option> password_options{{"--password-file"}, {"--password-stdin", Takes::nothing}};

std::vector<Option> with_password(std::vector<Option> all) {
    all.insert(all.end(), password_options.begin(), password_options.end());
    return all;
}

// A verb a row.
const std::vector<Row> rows{
    {"list",
     cert_list,
     VerbRuns::either,
     0,
     {{"--domain"}, {"--json", Takes::nothing}},
     "[--domain NAME] [--json]",
     "our certificates and pending requests; by domain, the one that would be chosen first"},
    {"show",
     cert_show,
     VerbRuns::either,
     1,
     {{"--json", Takes::nothing}},
     "THUMBPRINT [--json]",
     "all about one certificate, which connectors use it, and what partners may not like"},
    {"which",
     cert_which,
     VerbRuns::either,
     0,
     {{"--domain"}, {"--connector"}, {"--json", Takes::nothing}},
     "[--connector NAME | --domain NAME] [--json]",
     "what is chosen and why, the others and why not"},
    {"request", cert_request, VerbRuns::here, 0, naming_options({{"--output"}, {"--form"}}),
     "[--subject DN] [--domain NAME]... [--include-accepted-domains] [--connector NAME]\n"
     "      [--key TYPE] [--purpose both|server|client] [--friendly-name TEXT] [--exportable]\n"
     "      [--token NAME|URI [--pin-file FILE]] [--output FILE] [--form pem|der] [--json]",
     "a PKCS#10 request for a CA; its key waits here for the answer"},
    {"new", cert_new, VerbRuns::here, 0, naming_options({{"--days"}, {"--services"}}),
     "[--subject DN] [--domain NAME]... [--include-accepted-domains] [--connector NAME]\n"
     "      [--key TYPE] [--purpose both|server|client] [--friendly-name TEXT] [--exportable]\n"
     "      [--token NAME|URI [--pin-file FILE]] [--days N] [--services smtp] [--json]",
     "a self-signed certificate, of 365 days where nothing else is said"},
    {"clone", cert_clone, VerbRuns::here, 1,
     naming_options({{"--request", Takes::nothing}, {"--output"}, {"--form"}, {"--days"}, {"--services"}}),
     "THUMBPRINT [--request [--output FILE] [--form pem|der]] [--services smtp]\n"
     "      [--subject DN] [--domain NAME]... and what cert new takes",
     "a new key and certificate, or request, with the names of one that is there"},
    {"import", cert_import, VerbRuns::here, 1,
     with_password({{"--friendly-name"},
                    {"--exportable", Takes::nothing},
                    {"--services"},
                    {"--trust", Takes::many},
                    {"--unverified", Takes::nothing},
                    {"--json", Takes::nothing}}),
     "FILE|- [--services smtp] [--trust FILE]... [--unverified] [--friendly-name TEXT]\n"
     "      [--exportable] [--password-file FILE | --password-stdin] [--json]",
     "a PKCS#12 file, or a CA's answer (PEM, DER, PKCS#7) to a pending request"},
    {"export", cert_export, VerbRuns::here, 1,
     with_password(
         {{"--output"}, {"--form"}, {"--encryption"}, {"--chain", Takes::nothing}, {"--json", Takes::nothing}}),
     "THUMBPRINT [--output FILE] [--form pem|der|p12] [--chain] [--encryption modern|legacy]\n"
     "      [--password-file FILE | --password-stdin] [--json]",
     "the certificate (.cer is DER); with its key as PKCS#12 where the key may leave"},
    {"enable",
     cert_enable,
     VerbRuns::here,
     1,
     {{"--services"}, {"--json", Takes::nothing}},
     "THUMBPRINT [--services smtp] [--json]",
     "connectors may choose it"},
    {"disable",
     cert_disable,
     VerbRuns::here,
     1,
     {{"--json", Takes::nothing}},
     "THUMBPRINT [--json]",
     "no connector chooses it any more"},
    {"remove",
     cert_remove,
     VerbRuns::here,
     1,
     {{"--json", Takes::nothing}},
     "THUMBPRINT [--json]",
     "out of the store, with its key; refused while a connector uses it"},
    {"users",
     cert_users,
     VerbRuns::in_daemon,
     1,
     {},
     "THUMBPRINT",
     "which connectors the daemon shows it at, one a line"},
    {"take-up", nullptr, VerbRuns::in_daemon, 0, {}, "", "the daemon looks at the store now"},
};

std::string usage_line(const Row& row) {
    return "cert " + std::string(row.word) + (row.usage.empty() ? "" : " ") + std::string(row.usage);
}

// Whoever asked for JSON gets some, also where it went wrong; the sentence for a human stays on standard error.
VerbResult in_json(VerbResult result) {
    if (result.status == 0 || !result.out.empty()) return result;
    const auto sentence = trimmed(std::string_view(result.err).substr(0, result.err.find("\nusage:")));
    result.out = error_json(sentence, result.status);
    return result;
}

VerbResult missing(const Row& row) {
    return usage_of(usage_line(row), std::string(row.usage.substr(0, row.usage.find_first_of(" |"))) + " is missing");
}

}  // namespace

std::vector<VerbSpec> CertVerbs::verbs() const {
    std::vector<VerbSpec> all;
    for (const auto& row : rows)
        all.push_back({"cert " + std::string(row.word), usage_line(row), std::string(row.help), row.runs});
    return all;
}

// Not on our lane: partners are judged there, and a look at the store may wait for a token.
Pending<VerbResult> CertVerbs::take_up() const {
    const auto answer = Answer<VerbResult>::make();
    parts_.host.offload([take_up = parts_.take_up, answer] { answer.give(take_up()); });
    return answer.pending();
}

Pending<VerbResult> CertVerbs::run(std::vector<std::string> words) {
    const auto row = std::ranges::find_if(
        rows, [&](const Row& one) { return words.size() >= 2 && words[0] == "cert" && words[1] == one.word; });
    if (row == rows.end()) return VerbResult{2, {}, "usage: postern cert COMMAND; see postern help\n"};
    words.erase(words.begin(), words.begin() + 2);
    if (!row->call) return take_up();
    const bool json = std::ranges::find(words, "--json") != words.end();
    auto result = run_row(static_cast<std::size_t>(row - rows.begin()), words);
    return json ? in_json(std::move(result)) : std::move(result);
}

VerbResult CertVerbs::run_row(std::size_t number, const std::vector<std::string>& words) {
    const auto& row = rows[number];
    const auto arguments = Arguments::read(words, row.options, row.plain);
    if (!arguments) return usage_of(usage_line(row), arguments.failure.text);
    if (arguments->plain().size() < row.plain) return missing(row);
    const auto folder = parts_.folder();
    if (folder.empty()) return {2, {}, "there is no configuration, and so no store: give postern -c FILE\n"};
    if (::access(folder.c_str(), R_OK | X_OK) != 0 && errno != ENOENT)
        return refused(
            {"cannot-write", folder + ": " + std::strerror(errno) + "; run this as root or as Postern's user"});
    return row.call({parts_.host, parts_.judge, CertificateStore(folder), parts_.validations}, *arguments);
}

}  // namespace postern::tls_mutual
