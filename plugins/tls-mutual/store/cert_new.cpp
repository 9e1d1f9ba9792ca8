#include <unistd.h>

#include <algorithm>
#include <tls-mutual/facts.hpp>
#include <tls-mutual/store/cert_new.hpp>
#include <tls-mutual/store/naming.hpp>
#include <tls-mutual/store/remarks.hpp>
#include <tls-mutual/store/token.hpp>

namespace postern::tls_mutual {
namespace {

// One making under way: names, key, file.
struct Making {
    NamedTerms named;
    KeyType type = KeyType::p256;
    Attributes about;
    std::string output;
    bool as_der = false;
    std::string token;
};

// A key that was just made: its octets, or where in a token it is. Unless kept, the token gets rid of it again.
class NewKey {
public:
    static Outcome<NewKey> make(Making& making) {
        NewKey made;
        if (!making.token.empty()) {
            auto uri = make_token_key(making.token, making.type);
            if (!uri) return uri.failure;
            making.about.token_key = made.uri_ = *uri;
            auto key = ask_token<PrivateKeyHandle>(token_time, *uri, [at = *uri] { return open_there(at); });
            if (!key) return key.failure;
            made.key_ = std::move(*key);
            return made;
        }
        auto key = make_key(making.type);
        if (!key) return key.failure;
        auto pem = key_to_pem(key->get());
        if (!pem) return pem.failure;
        made.key_ = std::move(*key);
        made.pem_ = std::move(*pem);
        return made;
    }
    NewKey(NewKey&& other) noexcept
        : key_(std::move(other.key_)), pem_(std::move(other.pem_)), uri_(std::exchange(other.uri_, {})) {}
    NewKey(const NewKey&) = delete;
    NewKey& operator=(const NewKey&) = delete;
    NewKey& operator=(NewKey&&) = delete;
    ~NewKey() {
        if (TokenCalls::of_process().hangs(token_part(uri_))) (void)key_.release();  // in use by a call that hangs
        key_.reset();
        if (!uri_.empty()) (void)remove_token_key(uri_);
    }
    // What `work` makes of the key; in a token each signature may take its time.
    Outcome<Bytes> use(std::function<Outcome<Bytes>(gnutls_privkey_t)> work) const {
        if (uri_.empty()) return work(key_.get());
        return ask_token<Bytes>(token_time, uri_, [work = std::move(work), raw = key_.get()] { return work(raw); });
    }
    const Secret& pem() const { return pem_; }
    void keep() { uri_.clear(); }

private:
    static constexpr std::chrono::seconds token_time{30};
    static Outcome<PrivateKeyHandle> open_there(const std::string& uri) {
        int status = 0;
        auto key = open_token_key(uri, status);
        if (status >= 0) return key;
        return Failure{"token", uri + ": cannot be used: " + token_problem(status)};
    }
    NewKey() = default;
    PrivateKeyHandle key_;
    Secret pem_;
    std::string uri_;
};

Outcome<KeyType> type_for(const Arguments& arguments, const CertificateFacts* like) {
    auto typed = arguments.value("--key");
    if (typed.empty() && like) {  // a clone's key is new, and of the same kind
        typed = lower(key_text(like->der));
        std::ranges::replace(typed, ' ', '-');
    }
    if (typed.empty()) return KeyType::p256;
    const auto type = key_type(typed);
    if (type) return *type;
    if (!arguments.has("--key")) return KeyType::p256;
    return Failure{"usage", "--key knows " + std::string(key_type_words()) + ", not " + typed};
}

Outcome<Making> prepare(const CommandContext& context, const Arguments& arguments, const StoredCertificate* like) {
    Making making;
    const auto* model = like ? &like->leaf : nullptr;
    auto named = name_terms(arguments, context.host.configuration(), model);
    if (!named) return named.failure;
    making.named = std::move(*named);
    const auto type = type_for(arguments, model);
    if (!type) return type.failure;
    making.type = *type;
    making.about.friendly_name = arguments.value("--friendly-name", like ? like->about.friendly_name : std::string());
    if (auto bad = check_friendly_name(making.about.friendly_name)) return *bad;
    making.about.exportable = arguments.has("--exportable");
    if (const auto services = arguments.value("--services"); !services.empty() && services != "smtp")
        return Failure{"usage", "--services knows smtp, not " + services};
    making.about.smtp = arguments.has("--services");
    making.output = arguments.value("--output");
    making.token = arguments.value("--token");
    if (arguments.has("--pin-file")) set_token_pin_file(arguments.value("--pin-file"));
    if (!fits_one_line(making.token, 1024)) return Failure{"usage", "--token takes the label of a token, or its URI"};
    if (!making.token.empty() && making.about.exportable)
        return Failure{"usage", "a key in a token cannot leave it: --token and --exportable do not go together"};
    const auto form = arguments.value("--form", "pem");
    if (form != "pem" && form != "der") return Failure{"usage", "--form knows pem and der, not " + form};
    making.as_der = form == "der";
    if (making.as_der && making.output.empty()) return Failure{"usage", "--form der needs --output FILE"};
    if (!making.output.empty() && ::access(making.output.c_str(), F_OK) == 0)
        return Failure{"usage", making.output + " exists; name another file, or remove it first"};
    for (auto& remark : remarks_on(making.named.terms, making.type))
        making.named.warnings.push_back("it " + std::move(remark));
    if (auto never = never_chosen(context.host, making.named.terms.dns_names))
        making.named.warnings.push_back(std::move(*never));
    return making;
}

Json summary(const Making& making) {
    Json json;
    json.add("subject", making.named.terms.subject.text())
        .add("names", making.named.terms.dns_names)
        .add("shown", making.named.shown)
        .add("friendly_name", making.about.friendly_name)
        .add("exportable", making.about.exportable)
        .add("warnings", making.named.warnings);
    return json;
}

std::string summary_text(const Making& making) {
    std::string text = "    subject  " + making.named.terms.subject.text() + "\n    names    " +
                       joined(making.named.terms.dns_names) + "\n";
    for (const auto& one : making.named.shown) text += "    reads as " + one + "\n";
    return text;
}

// The request goes to the store with its key, then out; where it cannot go out, the store is as before.
VerbResult request(const CommandContext& context, const Arguments& arguments, const StoredCertificate* like) {
    auto making = prepare(context, arguments, like);
    if (!making) return refused(making.failure);
    making->about.origin = Origin::request;
    making->about.smtp = false;
    auto key = NewKey::make(*making);
    if (!key) return refused(key.failure);
    PendingRequest pending;
    pending.about = making->about;
    auto der = key->use([terms = making->named.terms](gnutls_privkey_t raw) { return make_request(terms, raw); });
    if (!der) return refused(der.failure);
    pending.der = std::move(*der);
    if (auto bad = describe_request(pending)) return refused({"cannot-make", *bad});
    const auto text = making->as_der ? std::string(pending.der.begin(), pending.der.end())
                                     : pem_block(pending.der, "CERTIFICATE REQUEST");
    const auto lock = context.store.lock();
    if (!lock) return refused(lock.failure);
    if (auto added = context.store.add_request(pending, key->pem()); !added) return refused(added.failure);
    pending.file = context.store.path() + "/" + pending.key_sha256 + ".request.pem";
    if (!making->output.empty())
        if (auto written = write_file(making->output, text, 0644); !written) {
            (void)context.store.remove(pending);
            return refused(written.failure);
        }
    key->keep();
    VerbResult result{0, {}, warnings(making->named.warnings)};
    if (arguments.has("--json"))
        result.out = summary(*making)
                         .add("request", making->as_der ? std::string() : text)
                         .add("file", making->output)
                         .add("key_sha256", pending.key_sha256)
                         .text() +
                     "\n";
    else if (making->output.empty()) result.out = text;
    else
        result.out = making->output + ": request for\n" + summary_text(*making) +
                     "have a CA sign it, then: postern cert import ANSWER\n";
    return result;
}

VerbResult self_signed(const CommandContext& context, const Arguments& arguments, const StoredCertificate* like) {
    auto making = prepare(context, arguments, like);
    if (!making) return refused(making.failure);
    making->about.origin = Origin::self_signed;
    auto key = NewKey::make(*making);
    if (!key) return refused(key.failure);
    const auto der = key->use([terms = making->named.terms, now = context.host.now()](gnutls_privkey_t raw) {
        return make_self_signed(terms, raw, now);
    });
    if (!der) return refused(der.failure);
    const auto leaf = read_facts(*der);
    if (!leaf) return refused({"cannot-make", "the certificate made cannot be read"});
    {
        const auto lock = context.store.lock();
        if (!lock) return refused(lock.failure);
        if (auto added = context.store.add(making->about, {*der}, key->pem()); !added) return refused(added.failure);
        key->keep();
    }
    VerbResult result{0, {}, warnings(making->named.warnings)};
    if (making->about.smtp) result.err += tell_daemon(context.host);
    if (arguments.has("--json"))
        result.out = summary(*making).add("sha256", leaf->sha256).add("sha1", leaf->sha1).text() + "\n";
    else
        result.out = leaf->sha256 + "\n" + summary_text(*making) +
                     (making->about.smtp
                          ? ""
                          : "enable it: postern cert enable " + leaf->sha256.substr(0, 16) + " --services smtp\n");
    return result;
}

}  // namespace

VerbResult cert_request(const CommandContext& context, const Arguments& arguments) {
    return request(context, arguments, nullptr);
}

VerbResult cert_new(const CommandContext& context, const Arguments& arguments) {
    return self_signed(context, arguments, nullptr);
}

VerbResult cert_clone(const CommandContext& context, const Arguments& arguments) {
    const auto contents = context.store.read();
    const auto found = contents.find(arguments.plain().front());
    if (!found) return refused(found.failure);
    return arguments.has("--request") ? request(context, arguments, *found) : self_signed(context, arguments, *found);
}

}  // namespace postern::tls_mutual
