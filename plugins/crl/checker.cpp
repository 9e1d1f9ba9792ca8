#include <crl/checker.hpp>
#include <x509/path_validation.hpp>

namespace postern::crl {
namespace {

// Alternative URLs of one distribution point that are tried one after the other.
constexpr std::size_t most_alternatives = 3;
constexpr std::size_t most_points = 32;

using Answers = std::vector<CertificateRevocation>;

bool fetching_helps(const CertificateRevocation& answer) {
    return answer.standing == RevocationStanding::unknown || answer.standing == RevocationStanding::unusable;
}

// One question that waits for flights. Its continuation keeps it alive.
class Question : public Counted {
public:
    Question(ListStore& store, Flights& flights, RevocationRequest request, std::vector<x509::Certificate> path)
        : store_(store), flights_(flights), request_(std::move(request)), path_(std::move(path)) {}

    Pending<Answers> begin() {
        auto pending = answer_.pending();
        if (request_.only_explicit_crls) decode_explicit();
        go_on();
        return pending;
    }

private:
    void decode_explicit() {
        for (auto& der : request_.explicit_crls)
            if (auto list = x509::CertificateList::read(std::move(der)))
                explicit_.push_back(std::make_shared<const KnownList>(std::move(*list), "given"));
            else unreadable_ = list.failure.text;
    }
    // Lists were given to be judged by: no policy on absent sources lets a certificate pass without one.
    void demand_given(CertificateRevocation& answer, const x509::Certificate& certificate) const {
        const auto standing = answer.standing;
        const bool by_policy = standing == RevocationStanding::no_source ||
                               standing == RevocationStanding::short_lived ||
                               standing == RevocationStanding::not_checked;
        if (by_policy)
            answer = {RevocationStanding::unknown,
                      "crl-unreachable",
                      x509::shown(certificate) + ": none of the lists given is for it",
                      "",
                      {}};
        if (answer.reason != "crl-unreachable" || unreadable_.empty()) return;
        answer.standing = RevocationStanding::unusable;
        answer.reason = "crl-unverifiable";
        answer.sentence += ", and of those one is no list: " + unreadable_;
    }
    std::vector<KnownListRef> lists_for(const x509::Certificate& certificate) const {
        if (!request_.only_explicit_crls) return store_.named(certificate.issuer.key());
        std::vector<KnownListRef> named;
        for (const auto& list : explicit_)
            if (list->list.issuer == certificate.issuer) named.push_back(list);
        return named;
    }
    // The URL of this round for each distribution point that could still help.
    std::map<std::string, std::size_t> wanted() const {
        std::map<std::string, std::size_t> urls;  // URL and whose issuer signs it
        for (std::size_t i = 0; i < answers_.size(); ++i) {
            if (!fetching_helps(answers_[i])) continue;
            for (const auto& point : path_[i].crl_points) {
                const auto alternatives = point.urls();
                if (round_ < alternatives.size() && urls.size() < most_points) urls.emplace(alternatives[round_], i);
            }
        }
        return urls;
    }
    void decide_all() {
        const Terms terms{request_.at, request_.grace, request_.source, request_.profile};
        answers_.clear();
        for (std::size_t i = 0; i + 1 < path_.size(); ++i)
            answers_.push_back(decide(path_[i], std::span(path_).subspan(i + 1), lists_for(path_[i]), terms));
        if (!request_.only_explicit_crls) return;
        for (std::size_t i = 0; i < answers_.size(); ++i) demand_given(answers_[i], path_[i]);
    }
    void go_on() {
        decide_all();
        const bool may = request_.may_fetch && !request_.only_explicit_crls && round_ < most_alternatives;
        const auto urls = may ? wanted() : std::map<std::string, std::size_t>();
        if (urls.empty()) return finish();
        ++round_;
        {
            std::lock_guard lock(mutex_);
            under_way_ = urls.size();
        }
        for (const auto& [url, index] : urls) {
            const auto der = path_[index + 1].der();
            flights_.fetch(url, Bytes(der.begin(), der.end()), false,
                           [self = Ref<Question>(this), name = url, at = index](const std::string& error) {
                               self->landed(name, at, error);
                           });
        }
    }
    void landed(const std::string& url, std::size_t index, const std::string& error) {
        {
            std::lock_guard lock(mutex_);
            if (!error.empty()) failures_[index] = error.starts_with(url) ? error : url + ": " + error;
            if (--under_way_ > 0) return;
        }
        go_on();
    }
    void finish() {
        for (const auto& [index, text] : failures_) {
            auto& answer = answers_[index];
            if (!fetching_helps(answer)) continue;
            // What came and was not believed is another matter than what did not come.
            const bool unbelieved = text.find("not believed") != std::string::npos;
            if (answer.reason == "crl-unreachable" && unbelieved) answer.reason = "crl-unverifiable";
            answer.sentence = x509::shown(path_[index]) + ": " + text;
            if (answer.reason == "crl-stale")
                answer.sentence = x509::shown(path_[index]) + ": the list at hand ended, " + text;
        }
        answer_.give(std::move(answers_));
    }

    ListStore& store_;
    Flights& flights_;
    RevocationRequest request_;
    std::vector<x509::Certificate> path_;
    std::vector<KnownListRef> explicit_;
    std::string unreadable_;
    Answers answers_;
    std::size_t round_ = 0;
    std::mutex mutex_;
    std::size_t under_way_ = 0;
    std::map<std::size_t, std::string> failures_;
    Answer<Answers> answer_ = Answer<Answers>::make();
};

}  // namespace

Pending<Answers> Checker::check(RevocationRequest request) {
    std::vector<x509::Certificate> path;
    for (const auto& der : request.path) {
        auto certificate = x509::Certificate::read(der);
        if (!certificate) return Failure{"plugin-failed", "a certificate of the path cannot be read again"};
        path.push_back(std::move(*certificate));
    }
    auto question = make_ref<Question>(store_, flights_, std::move(request), std::move(path));
    return question->begin();
}

}  // namespace postern::crl
