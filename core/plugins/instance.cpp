#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <future>
#include <plugins/instance.hpp>

namespace postern::plugins {

static constexpr std::chrono::seconds patience{2};  // for code that was called and is to come back

// Made with its mode from the first moment. What root's command line makes belongs to whom the parent belongs to: the
// daemon must be able to write there.
static void make_state_folder(const std::string& parent, const std::string& folder) {
    std::error_code error;
    std::filesystem::create_directories(parent, error);
    if (::mkdir(folder.c_str(), 0700) != 0) {
        std::filesystem::permissions(folder, std::filesystem::perms::owner_all, error);
        return;
    }
    struct stat about {};
    if (::geteuid() == 0 && ::stat(parent.c_str(), &about) == 0)
        (void)!::lchown(folder.c_str(), about.st_uid, about.st_gid);
}

std::string Instance::state_folder() const {
    if (parts_.state_folder.empty()) return {};
    const auto folder = parts_.state_folder + "/" + file.name;
    make_state_folder(parts_.state_folder, folder);
    return folder;
}

void Instance::call_retire() {
    if (retire_called_.exchange(true)) return;
    try {
        file.plugin->retire();
    } catch (...) {
        parts_.log->error("plugin-failed", file.name + " threw at its end");
    }
}

void Instance::retire() {
    *alive_ = false;
    if (!started.exchange(false)) {
        retire_called_ = true;  // it never began anything
        return;
    }
    const auto retired = std::make_shared<std::promise<void>>();
    auto task = [this, retired] {
        call_retire();
        retired->set_value();
    };
    // Full or stalled: end() tries again.
    if (!lane.post(std::move(task)).empty() || retired->get_future().wait_for(patience) != std::future_status::ready)
        parts_.log->warning("plugin-failed", file.name + " is slow to retire: a call has not come back");
}

void Instance::end() {
    retire();
    ended = true;
    came_back = lane.stop();
    if (came_back) call_retire();
    else parts_.log->error("plugin-failed", file.name + " did not come back from a call; it is left behind");
}

void Instance::provide(std::string_view role_id, std::string_view name, void* provider, Runs runs) {
    const auto own = name.empty() ? std::string_view(file.name) : name;
    auto& log = *parts_.log;
    if (role_id == TlsEngine::id) return keep<GuardedEngine, TlsEngine>(name, provider, log, file.name);
    if (role_id == TlsResumption::id) return keep<GuardedResumption, TlsResumption>(name, provider, log, file.name);
    if (role_id == OwnCertificates::id)
        return keep<GuardedOwnCertificates, OwnCertificates>(name, provider, log, file.name);
    if (role_id == ProxyResolver::id) return keep<GuardedProxyResolver, ProxyResolver>(name, provider, log, file.name);
    if (role_id == NameMatcher::id) return keep<GuardedMatcher, NameMatcher>(name, provider, log, file.name);
    if (role_id == ChainJudge::id) return keep<LanedJudge, ChainJudge>(name, provider, lane, file.name);
    if (role_id == LearningJudge::id) return keep<LanedLearningJudge, LearningJudge>(name, provider, lane, file.name);
    if (role_id == RevocationChecker::id)
        return keep<LanedRevocation, RevocationChecker>(name, provider, lane, file.name);
    if (role_id == PooledRevocationChecker::id)
        return keep<LanedPooledRevocation, PooledRevocationChecker>(name, provider, lane, file.name);
    if (role_id == SignerHints::id) return keep<GuardedSignerHints, SignerHints>(name, provider, log, file.name);
    if (role_id == Fetcher::id) return keep<LanedFetcher, Fetcher>(name, provider, lane, file.name);
    if (role_id == Delivery::id) return keep<LanedDelivery, Delivery>(own, provider, lane, file.name);
    if (role_id == Decider::id) return keep<GuardedDecider, Decider>(own, provider, lane, runs, log, file.name);
    if (role_id == ProtocolObserver::id)
        return keep<LanedProtocolObserver, ProtocolObserver>(own, provider, lane, *parts_.counters);
    if (role_id == Observer::id) return keep<LanedObserver, Observer>(own, provider, lane, *parts_.counters);
    if (role_id == AdminVerbs::id) return keep<LanedVerbs, AdminVerbs>(own, provider, lane, log, file.name);
    parts_.log->error("plugin-refused",
                      file.name + " offers a role that this host does not know: " + std::string(role_id));
}

}  // namespace postern::plugins
