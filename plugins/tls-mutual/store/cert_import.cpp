#include <unistd.h>

#include <algorithm>
#include <tls-mutual/facts.hpp>
#include <tls-mutual/identity.hpp>
#include <tls-mutual/store/cert_import.hpp>
#include <tls-mutual/store/containers.hpp>
#include <tls-mutual/store/making.hpp>
#include <tls-mutual/store/password.hpp>
#include <tls-mutual/store/remarks.hpp>

namespace postern::tls_mutual {
namespace {

std::string digest_of(gnutls_privkey_t key) {
    gnutls_pubkey_t raw = nullptr;
    if (gnutls_pubkey_init(&raw) < 0) return {};
    const PublicKeyHandle ours(raw);
    return gnutls_pubkey_import_privkey(raw, key, 0, 0) < 0 ? std::string() : key_digest(raw);
}

// One import, step by step; the first fault ends it, and up to `keep` nothing was written.
class Import {
public:
    Import(const CommandContext& context, const Arguments& arguments)
        : context_(context), arguments_(arguments), file_(arguments.plain().front()) {}

    VerbResult run() {
        if (auto failure = read()) return refused(*failure);
        const auto lock = context_.store.lock();
        if (!lock) return refused(lock.failure);
        stored_ = context_.store.read();
        for (auto step : {&Import::find_key, &Import::check_dates, &Import::complete_chain, &Import::keep})
            if (auto failure = (this->*step)()) return refused(*failure);
        return report();
    }

private:
    Failure wrong(const std::string& what) const { return {"file", file_ + ": " + what}; }
    std::optional<Failure> read();
    std::optional<Failure> find_key();
    std::optional<Failure> key_of_file();
    std::optional<Failure> key_of_request();
    std::optional<Failure> check_dates();
    std::optional<Failure> complete_chain();
    std::optional<Failure> keep();
    bool choose_leaf(std::string_view key_sha256);
    void order_by_issuer();
    VerbResult report() const;

    const CommandContext& context_;
    const Arguments& arguments_;
    const std::string file_;
    Contents contents_;
    std::vector<CertificateFacts> read_;  // of contents_.certificates, readable ones
    CertificateFacts leaf_;
    std::vector<Bytes> chain_;
    Secret key_;
    Attributes about_;
    StoreContents stored_;
    const PendingRequest* answered_ = nullptr;
    std::vector<std::string> notes_;
};

std::optional<Failure> Import::read() {
    if (arguments_.value("--services", "smtp") != "smtp")
        return Failure{"usage", "--services knows smtp, not " + arguments_.value("--services")};
    if (auto bad = check_friendly_name(arguments_.value("--friendly-name"))) return bad;
    if (file_ == "-" && arguments_.has("--password-stdin"))
        return Failure{"usage", "the file and the password cannot both come from standard input: --password-file"};
    auto octets = file_ == "-" ? read_all_of(STDIN_FILENO, "standard input") : read_guarded(file_, Holds::no_secret);
    if (!octets) return Failure{"file", octets.failure.text};
    const auto ask = [this] { return password(arguments_, file_, Ask::once); };
    auto contents = read_contents(octets->bytes, file_, ask);
    if (!contents) return contents.failure;
    contents_ = std::move(*contents);
    for (const auto& der : contents_.certificates)
        if (auto facts = read_facts(der)) read_.push_back(std::move(*facts));
    if (read_.empty()) return wrong("holds no certificate that can be read; ask for it again");
    return std::nullopt;
}

bool Import::choose_leaf(std::string_view key_sha256) {
    const auto found = std::ranges::find(read_, key_sha256, &CertificateFacts::key_sha256);
    if (found == read_.end()) return false;
    leaf_ = *found;
    if (found != read_.begin()) notes_.emplace_back("the certificate was not the first of the file; put in order");
    return true;
}

std::optional<Failure> Import::find_key() {
    if (auto failure = contents_.key ? key_of_file() : key_of_request()) return failure;
    for (const auto& one : stored_.certificates)
        if (one.leaf.sha256 == leaf_.sha256)
            return wrong("is in the store already, as " + one.leaf.sha256 + "; see postern cert show");
    return std::nullopt;
}

std::optional<Failure> Import::key_of_file() {
    if (!choose_leaf(digest_of(contents_.key.get())))
        return wrong("its private key belongs to none of its certificates; export it again");
    auto pem = key_to_pem(contents_.key.get());
    if (!pem) return pem.failure;
    key_ = std::move(*pem);
    about_.origin = Origin::imported;
    about_.friendly_name = arguments_.value("--friendly-name", contents_.friendly_name);
    if (!fits_one_line(about_.friendly_name, longest_friendly_name)) {
        about_.friendly_name.clear();  // a line of the store's file is no stranger's to write
        notes_.emplace_back("its friendly name is no line of text of at most 128 characters, and was left out");
    }
    about_.exportable = arguments_.has("--exportable");
    return std::nullopt;
}

std::optional<Failure> Import::key_of_request() {
    for (const auto& one : read_)
        if (const auto* request = stored_.request_for(one.key_sha256)) answered_ = request;
    if (!answered_) {
        for (const auto& one : read_)
            for (const auto& known : stored_.certificates)
                if (known.leaf.key_sha256 == one.key_sha256)
                    return wrong("its request was answered already, by " + known.leaf.sha256 +
                                 "; for a new one: postern cert clone " + known.leaf.sha256.substr(0, 16) +
                                 " --request");
        return wrong(
            "answers no request that waits here, and holds no key; import it where the request was made, or the "
            "PKCS#12 file");
    }
    choose_leaf(answered_->key_sha256);
    std::vector<std::string> left_out;
    for (const auto& name : answered_->names)
        if (covers(leaf_, name) != Covers::exactly) left_out.push_back(name);
    if (!left_out.empty()) notes_.push_back("the CA left out what was asked for: " + joined(left_out));
    about_ = answered_->about;
    about_.origin = Origin::request;
    if (arguments_.has("--friendly-name")) about_.friendly_name = arguments_.value("--friendly-name");
    if (arguments_.has("--exportable") && !about_.exportable)
        return Failure{"usage", "the key was made to stay here: --exportable is for the request"};
    auto file = context_.store.open(answered_->file);
    if (!file) return file.failure;
    const auto pem = key_block(file->text());
    key_.bytes.assign(pem.begin(), pem.end());
    return std::nullopt;
}

std::optional<Failure> Import::check_dates() {
    const auto now = context_.host.now();
    if (leaf_.not_after <= now)
        return wrong("the certificate expired on " + utc_day(leaf_.not_after) + "; ask the CA for a new one");
    if (leaf_.not_before > now)
        notes_.push_back("the certificate is not valid before " + utc_moment(leaf_.not_before) +
                         "; it is chosen from then on");
    return std::nullopt;
}

// Where nobody judged it good: by issuer, as far as the file goes.
void Import::order_by_issuer() {
    chain_ = {leaf_.der};
    auto issuer = leaf_.issuer;
    auto self_issued = leaf_.self_issued;
    while (!self_issued && chain_.size() < read_.size()) {
        const auto next = std::ranges::find(read_, issuer, &CertificateFacts::subject);
        if (next == read_.end() || next->self_issued) return;
        chain_.push_back(next->der);
        issuer = next->issuer;
        self_issued = next->self_issued;
    }
}

std::optional<Failure> Import::complete_chain() {
    std::vector<Bytes> sent{leaf_.der};
    for (const auto& one : read_)
        if (one.sha256 != leaf_.sha256) sent.push_back(one.der);
    order_by_issuer();
    if (leaf_.self_issued) {
        notes_.emplace_back("it is self-signed: partners take it for opportunistic TLS, or where they pin it");
        return std::nullopt;
    }
    const auto judgement = judge_now(context_.host, context_.judge, sent, arguments_.values("--trust"));
    if (judgement.standing == Standing::valid) {
        chain_.clear();
        for (const auto& one : judgement.path) chain_.push_back(one.der);
        // The anchor is the partner's to have.
        if (chain_.size() > 1 && judgement.path.back().self_issued) chain_.pop_back();
        if (chain_.size() > read_.size()) notes_.emplace_back("the chain was completed from local intermediates");
        return std::nullopt;
    }
    const auto why = judgement.sentence.empty() ? std::string("its chain cannot be judged") : judgement.sentence;
    if (arguments_.has("--unverified")) {
        notes_.push_back("taken unverified: " + why);
        return std::nullopt;
    }
    return wrong(
        (judgement.reason.empty() ? "" : judgement.reason + ": ") + why +
        "; add what is missing to the file, or the root to the configuration (roots) or by --trust FILE, or take it "
        "as it is with --unverified");
}

std::optional<Failure> Import::keep() {
    about_.smtp = arguments_.has("--services");
    if (chain_.size() > most_certificates)
        return wrong(
            "its chain has more than 16 certificates, which no partner would take; ask the CA for a shorter one");
    if (auto added = context_.store.add(about_, chain_, key_); !added) return added.failure;
    // From here on the request is answered, whether its file can be taken out now or with the next lock.
    if (answered_) (void)context_.store.remove(*answered_);
    return std::nullopt;
}

VerbResult Import::report() const {
    auto remarks = notes_;
    for (auto& one : remarks_on(leaf_)) remarks.push_back("it " + std::move(one));
    if (auto never = never_chosen(context_.host, names_of(leaf_))) remarks.push_back(std::move(*never));
    VerbResult result{0, {}, warnings(remarks)};
    if (about_.smtp) result.err += tell_daemon(context_.host);
    if (arguments_.has("--json"))
        result.out = Json()
                         .add("sha256", leaf_.sha256)
                         .add("sha1", leaf_.sha1)
                         .add("subject", leaf_.subject)
                         .add("names", names_of(leaf_))
                         .add("chain", static_cast<int>(chain_.size()))
                         .add("answers_request", answered_ != nullptr)
                         .add("warnings", remarks)
                         .text() +
                     "\n";
    else
        result.out =
            leaf_.sha256 + "\n    subject  " + leaf_.subject + "\n    names    " + joined(names_of(leaf_)) +
            "\n    chain    " + std::to_string(chain_.size()) + " certificates\n" +
            (about_.smtp ? "" : "enable it: postern cert enable " + leaf_.sha256.substr(0, 16) + " --services smtp\n");
    return result;
}

}  // namespace

VerbResult cert_import(const CommandContext& context, const Arguments& arguments) {
    return Import(context, arguments).run();
}

}  // namespace postern::tls_mutual
