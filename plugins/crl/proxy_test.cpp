#include <condition_variable>
#include <crl/importing.hpp>
#include <crl/json.hpp>
#include <crl/list_answer.hpp>
#include <crl/listing.hpp>
#include <crl/proxy_test.hpp>
#include <crl/verdict.hpp>
#include <set>
#include <x509/path_validation.hpp>

namespace postern::crl {
namespace {

// What one request brought.
struct Trial {
    std::string url, way, came, error;
    std::string judgement;  // of the list; empty where none came
};
struct TestedCertificate {
    std::string name;
    std::vector<Trial> trials;
    bool covered = true;  // each of its distribution points gave a list
};

// Runs on a thread that may block: main, or a lane.
Outcome<FetchAnswer> wait_for(Pending<FetchAnswer> pending) {
    struct Bell {
        std::mutex mutex;
        std::condition_variable rung;
        bool there = false;
    };
    const auto bell = std::make_shared<Bell>();
    pending.on_ready([bell] {
        std::lock_guard lock(bell->mutex);
        bell->there = true;
        bell->rung.notify_all();
    });
    std::unique_lock lock(bell->mutex);
    bell->rung.wait(lock, [&] { return bell->there; });  // each fetcher ends it by its own time-out
    lock.unlock();
    return pending.take();
}

// Who may have signed a list, as far as is known here, and where that was found.
struct KnownIssuer {
    x509::Certificate certificate;
    std::string from;
};
using KnownIssuers = std::vector<KnownIssuer>;

// Those of the file that is tested, then the configured roots and intermediates. A file of those that cannot be read is
// `config check`'s to name.
KnownIssuers known_issuers(Host& host, const std::string& tested, const std::vector<x509::Certificate>& file) {
    KnownIssuers all;
    for (const auto& one : file) all.push_back({one, tested});
    std::set<std::string> files;
    for (const auto& scope : host.trust_scopes())
        for (const auto* names : {&scope.files, &scope.intermediate_files}) files.insert(names->begin(), names->end());
    for (const auto& name : files)
        if (auto found = certificates_in(name))
            for (auto& one : *found) all.push_back({std::move(one), name});
    return all;
}

// What the list says of the certificate; an error where the daemon would not believe it.
std::string judged(const KnownList& known, const x509::Certificate& certificate, const KnownIssuers& issuers, Time now,
                   std::string& error) {
    std::string text;
    const KnownIssuer* namesake = nullptr;
    for (const auto& issuer : issuers) {
        if (issuer.certificate.subject == known.list.issuer) namesake = &issuer;
        if (text.empty() && known.signed_by(issuer.certificate, Profile::modern))
            text = "signed by " + issuer.certificate.subject.text() + " (" + issuer.from + ")";
    }
    if (text.empty() && namesake) {
        error = "the list was not believed: it is not signed by " + known.list.issuer.text() + " as it stands in " +
                namesake->from;
        return {};
    }
    if (text.empty())
        text = "its signature was not checked: no certificate of " + known.list.issuer.text() +
               " is in the file or among the configured roots and intermediates; append it to the file";
    if (known.list.next_update && *known.list.next_update + clock_skew < now) text += "; it has ended";
    if (const auto entry = known.list.find(certificate.serial, certificate.issuer))
        return text + "; the certificate is on it: " + std::string(x509::name_of(entry->reason)) + " " +
               date(entry->date);
    return text + "; the certificate is not on it";
}

Trial try_url(Flights& flights, const std::string& url, const x509::Certificate& certificate,
              const KnownIssuers& issuers, Time now) {
    Trial trial;
    trial.url = url;
    auto answer = wait_for(flights.ask(url, false));
    if (!answer) {
        trial.error = answer.failure.text;
        return trial;
    }
    trial.way = answer->way;
    trial.came = std::to_string(answer->body.size()) + " octets";
    auto lists = lists_of(std::move(answer->body));
    if (!lists) {
        trial.error = lists.failure.text;
        return trial;
    }
    for (auto& der : *lists) {
        auto decoded = x509::CertificateList::read(std::move(der));
        if (!decoded) {
            trial.error = decoded.failure.text;
            continue;
        }
        const KnownList known(std::move(*decoded), url);
        trial.came += "; list " + described(known.list);
        const auto says = judged(known, certificate, issuers, now, trial.error);
        if (!says.empty()) trial.judgement += (trial.judgement.empty() ? "" : " | ") + says;
    }
    if (!trial.judgement.empty()) trial.error.clear();
    return trial;
}

TestedCertificate test(Flights& flights, const x509::Certificate& certificate, const KnownIssuers& issuers, Time now) {
    TestedCertificate tested{x509::shown(certificate), {}, true};
    for (const auto& point : certificate.crl_points) {
        bool had = false;
        for (const auto& url : point.urls()) {
            tested.trials.push_back(try_url(flights, url, certificate, issuers, now));
            had |= tested.trials.back().error.empty();
        }
        tested.covered &= had;
    }
    return tested;
}

std::string text_of(const TestedCertificate& one) {
    std::string text = "certificate " + one.name + "\n";
    if (one.trials.empty()) return text + "  names no distribution point: there is nothing to fetch\n";
    for (const auto& trial : one.trials) {
        text += "  " + trial.url + "\n";
        if (!trial.way.empty()) text += "    went    " + trial.way + "\n";
        if (!trial.came.empty()) text += "    came    " + trial.came + "\n";
        text += trial.error.empty() ? "    good    " + trial.judgement + "\n" : "    failed  " + trial.error + "\n";
    }
    return text;
}

std::string json_of(const TestedCertificate& one) {
    std::vector<std::string> trials;
    for (const auto& trial : one.trials)
        trials.push_back(JsonObject()
                             .text("url", trial.url)
                             .flag("good", trial.error.empty())
                             .text("way", trial.way)
                             .text("came", trial.came)
                             .text("judgement", trial.judgement)
                             .text("error", trial.error)
                             .written());
    return JsonObject()
        .text("certificate", one.name)
        .flag("covered", one.covered)
        .raw("requests", json_array(trials, ", "))
        .written();
}

}  // namespace

std::vector<VerbSpec> ProxyTest::verbs() const {
    return {{"proxy test", "proxy test CERT [--json]",
             "fetch the lists that the certificates of a file (PEM or DER) name, and say which way each request went",
             VerbRuns::here}};
}

Pending<VerbResult> ProxyTest::run(std::vector<std::string> words) {
    const bool json = std::erase(words, "--json") > 0;
    if (words.size() != 3 || words[2].starts_with('-')) return VerbResult{2, {}, "usage: proxy test CERT [--json]\n"};
    const auto file = certificates_in(words[2]);
    if (!file) return VerbResult{1, {}, file.failure.text + "\n"};
    const auto issuers = known_issuers(host_, words[2], *file);
    VerbResult result;
    std::vector<std::string> objects;
    bool covered = true;
    for (const auto& certificate : *file) {
        if (certificate.self_issued()) continue;  // a root: nobody asks for its revocation
        const auto tested = test(flights_, certificate, issuers, host_.now());
        covered &= tested.covered;
        if (json) objects.push_back(json_of(tested));
        else result.out += text_of(tested);
    }
    if (json) result.out = json_array(objects) + "\n";
    else if (result.out.empty()) result.out = words[2] + " holds roots alone: there is nothing to fetch\n";
    else
        result.out +=
            covered ? "Every distribution point gave a list.\n" : "At least one distribution point gave no list.\n";
    result.status = covered ? 0 : 1;
    return result;
}

}  // namespace postern::crl
