#include <condition_variable>
#include <crl/importing.hpp>
#include <crl/json.hpp>
#include <crl/list_answer.hpp>
#include <crl/listing.hpp>
#include <crl/proxy_test.hpp>
#include <crl/verdict.hpp>
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

// What the list says of the certificate, where its signer is in the file.
std::string judged(const KnownList& known, const x509::Certificate& certificate,
                   const std::vector<x509::Certificate>& file, Time now) {
    std::string text;
    for (const auto& issuer : file)
        if (known.signed_by(issuer, Profile::modern)) text = "signed by " + issuer.subject.text();
    if (text.empty()) return "its signature was not checked: the certificate of its issuer is not in the file";
    if (known.list.next_update && *known.list.next_update + clock_skew < now) text += "; it has ended";
    if (const auto entry = known.list.find(certificate.serial, certificate.issuer))
        return text + "; the certificate is on it: " + std::string(x509::name_of(entry->reason)) + " " +
               date(entry->date);
    return text + "; the certificate is not on it";
}

Trial try_url(Flights& flights, const std::string& url, const x509::Certificate& certificate,
              const std::vector<x509::Certificate>& file, Time now) {
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
        trial.judgement += (trial.judgement.empty() ? "" : " | ") + judged(known, certificate, file, now);
    }
    if (!trial.judgement.empty()) trial.error.clear();
    return trial;
}

TestedCertificate test(Flights& flights, const x509::Certificate& certificate,
                       const std::vector<x509::Certificate>& file, Time now) {
    TestedCertificate tested{x509::shown(certificate), {}, true};
    for (const auto& point : certificate.crl_points) {
        bool had = false;
        for (const auto& url : point.urls()) {
            tested.trials.push_back(try_url(flights, url, certificate, file, now));
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
    VerbResult result;
    std::vector<std::string> objects;
    bool covered = true;
    for (const auto& certificate : *file) {
        if (certificate.self_issued()) continue;  // a root: nobody asks for its revocation
        const auto tested = test(flights_, certificate, *file, host_.now());
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
