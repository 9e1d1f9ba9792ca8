#include <algorithm>
#include <crl/checker.hpp>
#include <crl/digest.hpp>
#include <crl/staple.hpp>
#include <set>
#include <x509/path_validation.hpp>

namespace postern::crl {
namespace {

// Alternative URLs of one distribution point that are tried one after the other.
constexpr std::size_t most_alternatives = 3;
constexpr std::size_t most_points = 32;
// A list may want its signer's list, and that one a delta.
constexpr std::size_t most_rounds = 6;

using x509::Certificate;
using Answers = std::vector<CertificateRevocation>;

bool fetching_helps(const CertificateRevocation& answer) {
    return answer.standing == RevocationStanding::unknown || answer.standing == RevocationStanding::unusable;
}

// A list that came without a place is named by whose and which it is.
KnownListRef given(x509::CertificateList list) {
    auto name = "the list of \"" + list.issuer.text() + "\"" +
                (list.number ? " number " + x509::hex(*list.number, true) : std::string()) + " of " +
                date(list.this_update) + ", as given";
    return std::make_shared<const KnownList>(std::move(list), std::move(name));
}

// One question that waits for flights. Its continuation keeps it alive.
class Question : public Counted {
public:
    Question(ListStore& store, Flights& flights, Readers* readers, RevocationRequest request,
             std::vector<Certificate> path, const std::vector<Certificate>& pool)
        : store_(store),
          flights_(flights),
          readers_(readers),
          request_(std::move(request)),
          deciding_(std::move(path), pool, [this](const x509::Name& issuer) { return lists_of(issuer); },
                    {request_.at, request_.grace, request_.source, request_.profile}) {}

    Pending<Answers> begin() {
        auto pending = answer_.pending();
        if (request_.only_explicit_crls) decode_explicit();
        go_on();
        return pending;
    }

private:
    // A list that is wanted: whose signature it may bear, and for which certificate of the path (none: for a signer, or
    // a delta, without which the path's own answers stand as they are).
    struct Wanted {
        std::vector<Bytes> signers;
        std::optional<std::size_t> index;
    };
    using Wants = std::map<std::string, Wanted>;

    void decode_explicit() {
        for (auto& der : request_.explicit_crls)
            if (auto list = x509::CertificateList::read(std::move(der))) explicit_.push_back(given(std::move(*list)));
            else unreadable_ = list.failure.text;
    }
    // Lists were given to be judged by: no policy on absent sources lets a certificate pass without one.
    void demand_given(CertificateRevocation& answer, const Certificate& certificate) const {
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
    std::vector<KnownListRef> lists_of(const x509::Name& issuer) const {
        if (!request_.only_explicit_crls) return store_.named(issuer.key());
        std::vector<KnownListRef> named;
        for (const auto& list : explicit_)
            if (list->list.issuer == issuer) named.push_back(list);
        return named;
    }
    std::optional<std::size_t> index_of(const Certificate& certificate) const {
        const auto& path = deciding_.path();
        for (std::size_t i = 0; i < path.size(); ++i)
            if (&path[i] == &certificate) return i;
        return std::nullopt;
    }
    // For each distribution point that could still help the next URL that was not tried; one under way is waited for.
    void want_lists(Wants& wants) {
        for (const auto* certificate : deciding_.undecided()) {
            if (staple_suffices_ && certificate == &deciding_.path().front()) continue;
            const auto signers = deciding_.signers_for(*certificate);
            for (const auto& point : certificate->crl_points) {
                auto alternatives = point.urls();
                if (alternatives.size() > most_alternatives) alternatives.resize(most_alternatives);
                const auto next = std::ranges::find_if(
                    alternatives, [&](const std::string& url) { return wants.contains(url) || !tried_.contains(url); });
                if (next == alternatives.end() || wants.size() == most_points) continue;
                tried_.insert(*next);
                wants.try_emplace(*next, Wanted{signers, index_of(*certificate)});
            }
        }
    }
    // Once a question, where the complete list is here: what was revoked since it was made.
    void want_deltas(Wants& wants) {
        const auto& path = deciding_.path();
        for (std::size_t i = 0; i < answers_.size(); ++i) {
            if (answers_[i].standing != RevocationStanding::good) continue;
            for (auto& url : deciding_.delta_urls(path[i]))
                if (wants.size() < most_points && !has_current(url) && tried_.insert(url).second)
                    wants.try_emplace(std::move(url), Wanted{deciding_.signers_for(path[i]), std::nullopt});
        }
    }
    bool has_current(const std::string& url) const {
        const auto slot = store_.find(url);
        return slot && slot->list && slot->due > request_.at;
    }
    void decide_all() {
        deciding_.again();
        answers_.clear();
        for (std::size_t i = 0; i + 1 < deciding_.path().size(); ++i) answers_.push_back(deciding_.decide(i));
        if (!request_.staple.empty() && !answers_.empty()) weigh_staple();
        if (!request_.only_explicit_crls) return;
        for (std::size_t i = 0; i < answers_.size(); ++i) demand_given(answers_[i], deciding_.path()[i]);
    }
    // What a list says stands: a revoked certificate brings a staple of yesterday. Where no list says anything the
    // staple may, and then none is fetched for the leaf.
    void weigh_staple() {
        const Terms terms{request_.at, request_.grace, request_.source, request_.profile};
        auto says = read_staple(request_.staple, deciding_, terms);
        auto& leaf = answers_.front();
        const bool settled =
            leaf.standing == RevocationStanding::revoked || leaf.standing == RevocationStanding::on_hold;
        const bool worse = says.answer && says.answer->standing != RevocationStanding::good;
        if (says.answer && !settled && (worse || leaf.standing != RevocationStanding::good)) leaf = *says.answer;
        staple_suffices_ = says.answer && leaf.source == says.answer->source;
        if (!says.why_not.empty()) leaf.sentence += "; " + says.why_not;
    }
    Wants wanted() {
        Wants wants;
        if (!request_.may_fetch || request_.only_explicit_crls || round_ >= most_rounds) return wants;
        want_lists(wants);
        want_deltas(wants);
        return wants;
    }
    void go_on() {
        decide_all();
        const auto wants = wanted();
        if (wants.empty()) return finish();
        ++round_;
        {
            std::lock_guard lock(mutex_);
            under_way_ = wants.size();
        }
        for (const auto& [url, wanted] : wants)
            flights_.fetch(url, wanted.signers, false,
                           [self = Ref<Question>(this), name = url, at = wanted.index](const std::string& error) {
                               self->landed(name, at, error);
                           });
    }
    void landed(const std::string& url, std::optional<std::size_t> index, const std::string& error) {
        {
            std::lock_guard lock(mutex_);
            if (!error.empty() && index) failures_[*index] = error.starts_with(url) ? error : url + ": " + error;
            if (--under_way_ > 0) return;
        }
        go_on();
    }
    // Those that its path names, those that were asked for, and those that decided.
    void note_needs() const {
        if (!readers_ || request_.only_explicit_crls || deciding_.path().size() < 2) return;
        std::set<std::string> lists = tried_;
        const auto& path = deciding_.path();
        for (std::size_t i = 0; i + 1 < path.size(); ++i)
            for (const auto& point : path[i].crl_points)
                for (auto& url : point.urls()) lists.insert(std::move(url));
        for (const auto& answer : answers_)
            if (!answer.source.empty()) lists.insert(answer.source);
        readers_->needs(digest(path.front().der()), {lists.begin(), lists.end()}, request_.at);
    }
    void finish() {
        note_needs();
        for (const auto& [index, text] : failures_) {
            auto& answer = answers_[index];
            if (!fetching_helps(answer)) continue;
            // What came and was not believed is another matter than what did not come.
            const bool unbelieved = text.find("not believed") != std::string::npos;
            if (answer.reason == "crl-unreachable" && unbelieved) answer.reason = "crl-unverifiable";
            answer.sentence = x509::shown(deciding_.path()[index]) + ": " + text;
            if (answer.reason == "crl-stale")
                answer.sentence = x509::shown(deciding_.path()[index]) + ": the list at hand ended, " + text;
        }
        answer_.give(std::move(answers_));
    }

    ListStore& store_;
    Flights& flights_;
    Readers* readers_;
    RevocationRequest request_;
    std::vector<KnownListRef> explicit_;
    std::string unreadable_;
    bool staple_suffices_ = false;
    Deciding deciding_;
    std::set<std::string> tried_;  // URLs that were asked for
    Answers answers_;
    std::size_t round_ = 0;
    std::mutex mutex_;
    std::size_t under_way_ = 0;
    std::map<std::size_t, std::string> failures_;
    Answer<Answers> answer_ = Answer<Answers>::make();
};

}  // namespace

Pending<Answers> Checker::check(RevocationRequest request) { return check_with_pool({std::move(request), {}}); }

Pending<Answers> Checker::check_with_pool(PooledRevocationRequest request) {
    std::vector<Certificate> path, pool;
    for (const auto& der : request.path.path) {
        auto certificate = Certificate::read(der);
        if (!certificate) return Failure{"plugin-failed", "a certificate of the path cannot be read again"};
        path.push_back(std::move(*certificate));
    }
    // What stands beside the path and cannot be read is of no use; the path was read once already.
    for (const auto& der : request.pool)
        if (auto certificate = Certificate::read(der)) pool.push_back(std::move(*certificate));
    auto question = make_ref<Question>(store_, flights_, readers_, std::move(request.path), std::move(path), pool);
    return question->begin();
}

// Of lists that came and were not believed, and of those at hand under the issuers' names.
std::vector<std::string> Checker::signer_urls(const std::vector<Bytes>& path) {
    std::vector<std::string> urls;
    const auto add = [&urls](const std::vector<std::string>& more) {
        for (const auto& url : more)
            if (urls.size() < most_points && std::ranges::find(urls, url) == urls.end()) urls.push_back(url);
    };
    for (std::size_t i = 0; i + 1 < path.size(); ++i) {
        const auto certificate = Certificate::read(path[i]);
        if (!certificate) continue;
        for (const auto& point : certificate->crl_points)
            for (const auto& url : point.urls())
                if (const auto slot = store_.find(url)) add(slot->signer_urls);
        for (const auto& known : store_.named(certificate->issuer.key())) add(known->list.ca_issuer_urls);
    }
    return urls;
}

}  // namespace postern::crl
