#include <algorithm>
#include <charconv>
#include <limits>
#include <set>
#include <tls-mutual/partner_ends.hpp>
#include <tls-mutual/store/text.hpp>

namespace postern::tls_mutual {
namespace {

constexpr std::chrono::hours between_looks{1};

std::string_view detail(const Occurrence& what, std::string_view name) {
    const auto found = std::ranges::find(what.details, name, &Detail::name);
    return found == what.details.end() ? std::string_view() : std::string_view(found->value);
}

Time moment(std::string_view seconds) {
    std::int64_t count = 0;
    std::from_chars(seconds.data(), seconds.data() + seconds.size(), count);
    return Time(std::chrono::seconds(count));
}

constexpr std::string_view gauge_name = "postern_partner_certificate_not_after_seconds";

std::string labels_of(std::string_view partner, std::string_view name) {
    return "partner=\"" + std::string(partner) + "\",name=\"" + std::string(name) + "\"";
}

std::string subject_of(std::string_view partner, std::string_view name) {
    return std::string(partner) + " " + std::string(name);
}

}  // namespace

void PartnerEnds::saw(const Occurrence& what) {
    const std::lock_guard held(mutex_);
    if (what.event == Event::partner_certificate) return note(what);
    if (what.event == Event::config_reloaded || host_->now() - looked_ >= between_looks) look();
}

void PartnerEnds::note(const Occurrence& what) {
    const auto partner = detail(what, "partner"), name = detail(what, "client_name");
    const auto key = subject_of(partner, name);
    if (partner.empty() || (known_.size() >= most && !known_.contains(key))) return;
    auto& one = known_[key];
    one = {std::string(partner),
           std::string(name),
           std::string(detail(what, "certificate")),
           std::string(detail(what, "subject")),
           {moment(detail(what, "not_before")), moment(detail(what, "not_after"))},
           host_->now()};
    speak_of(one);
}

void PartnerEnds::speak_of(const Certificate& one) {
    const auto ends = std::chrono::duration<double>(one.life.ends.time_since_epoch()).count();
    host_->gauge(gauge_name, labels_of(one.partner, one.name), ends);
    const auto text = "the certificate of " + one.partner + " for " + one.name + " (\"" + one.subject + "\" sha256 " +
                      one.sha256 + ") ";
    const auto next = "; the partner must renew it: afterwards mail with it is deferred";
    if (const auto step = told_.next(one.sha256, one.life, host_->now()))
        host_->log(Severity::warning, "partner-certificate-ending", text + expiry_text(*step, one.life.ends) + next);
    const bool near = expiry_alarms(one.life, host_->now());
    host_->alarm("partner-certificate-ending", subject_of(one.partner, one.name),
                 near ? text + "ends on " + utc_day(one.life.ends) + next : std::string());
}

// Those of partners that are listed no more, or that nobody showed for a month, are forgotten.
void PartnerEnds::look() {
    looked_ = host_->now();
    const auto configured = host_->configuration();
    std::set<std::string_view> listed(configured.send_list.begin(), configured.send_list.end());
    listed.insert(configured.receive_list.begin(), configured.receive_list.end());
    for (auto one = known_.begin(); one != known_.end();) {
        if (listed.contains(one->second.partner) && one->second.seen + forgotten_after > looked_) {
            speak_of((one++)->second);
            continue;
        }
        host_->alarm("partner-certificate-ending", one->first, {});
        host_->gauge(gauge_name, labels_of(one->second.partner, one->second.name),
                     std::numeric_limits<double>::quiet_NaN());
        told_.forget(one->second.sha256);
        one = known_.erase(one);
    }
}

}  // namespace postern::tls_mutual
