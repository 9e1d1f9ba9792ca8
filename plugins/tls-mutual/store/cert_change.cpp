#include <algorithm>
#include <tls-mutual/store/cert_change.hpp>
#include <tls-mutual/store/remarks.hpp>
#include <tls-mutual/store/token.hpp>

namespace postern::tls_mutual {
namespace {

VerbResult changed(const CommandContext& context, const Arguments& arguments, const std::string& what,
                   const std::string& sha256, const std::vector<std::string>& remarks) {
    VerbResult result{0, {}, warnings(remarks) + tell_daemon(context.host)};
    if (arguments.has("--json"))
        result.out = Json().add("sha256", sha256).add("done", what).add("warnings", remarks).text() + "\n";
    else result.out = sha256 + " " + what + "\n";
    return result;
}

VerbResult set_smtp(const CommandContext& context, const Arguments& arguments, bool smtp) {
    const auto lock = context.store.lock();
    if (!lock) return refused(lock.failure);
    const auto contents = context.store.read();
    const auto found = contents.find(arguments.plain().front());
    if (!found) return refused(found.failure);
    const auto& stored = **found;
    std::vector<std::string> remarks;
    if (smtp) {
        if (stored.leaf.not_after <= context.host.now())
            return refused({"expired", stored.file + ": the certificate expired on " + utc_day(stored.leaf.not_after) +
                                           "; renew it: postern cert clone " + stored.leaf.sha256.substr(0, 16) +
                                           " --request"});
        for (auto& one : remarks_on(stored.leaf)) remarks.push_back("it " + std::move(one));
        if (auto never = never_chosen(context.host, names_of(stored.leaf))) remarks.push_back(std::move(*never));
    } else {
        for (const auto& user : context.users_now(contents, stored))
            remarks.push_back(user + " used it and must do with another one: postern cert which");
    }
    auto about = stored.about;
    about.smtp = smtp;
    if (auto done = context.store.change(stored, about); !done) return refused(done.failure);
    return changed(context, arguments, smtp ? "enabled for smtp" : "disabled", stored.leaf.sha256, remarks);
}

// The key goes with its certificate. What the token will not give up is said, not undone.
std::vector<std::string> without_token_key(const Arguments& arguments, const Attributes& about) {
    if (about.token_key.empty()) return {};
    if (arguments.has("--pin-file")) set_token_pin_file(arguments.value("--pin-file"));
    if (auto removed = remove_token_key(about.token_key); !removed) return {removed.failure.text};
    return {};
}

}  // namespace

VerbResult cert_enable(const CommandContext& context, const Arguments& arguments) {
    if (arguments.value("--services", "smtp") != "smtp")
        return refused({"usage", "--services knows smtp, not " + arguments.value("--services")});
    return set_smtp(context, arguments, true);
}

VerbResult cert_disable(const CommandContext& context, const Arguments& arguments) {
    return set_smtp(context, arguments, false);
}

VerbResult cert_remove(const CommandContext& context, const Arguments& arguments) {
    const auto lock = context.store.lock();
    if (!lock) return refused(lock.failure);
    const auto contents = context.store.read();
    const auto wanted = lower(arguments.plain().front());
    // A request goes by the SHA-256 of its key, whole: its beginning could be a certificate's too.
    if (const auto* request = contents.request_for(wanted)) {
        if (auto done = context.store.remove(*request); !done) return refused(done.failure);
        return changed(context, arguments, "removed; its answer can no longer be imported", wanted,
                       without_token_key(arguments, request->about));
    }
    const auto found = contents.find(wanted);
    if (!found) return refused(found.failure);
    const auto users = context.users_now(contents, **found);
    if (!users.empty())
        return refused({"in-use", (*found)->leaf.sha256 + " is in use by " + joined(users) +
                                      "; enable another one first, or disable this one"});
    const auto sha256 = (*found)->leaf.sha256;
    if (auto done = context.store.remove(**found); !done) return refused(done.failure);
    return changed(context, arguments, "removed", sha256, without_token_key(arguments, (*found)->about));
}

}  // namespace postern::tls_mutual
