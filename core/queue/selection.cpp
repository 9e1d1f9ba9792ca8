#include <algorithm>
#include <charconv>
#include <queue/selection.hpp>

namespace postern::queue {

bool Selection::empty() const {
    return ids.empty() && domain.empty() && !sender && reason.empty() && !older && !younger && !held && !all;
}

bool Selection::takes_any() const { return domain.empty() && !sender && reason.empty() && !older && !younger && !held; }

bool Selection::takes(const QueuedMessage& message, Time now) const {
    if (!ids.empty() && std::ranges::find(ids, message.id) == ids.end()) return false;
    const auto is_held = [](const QueuedRecipient& one) { return one.held; };
    if (held && !message.held && std::ranges::none_of(message.recipients, is_held)) return false;
    if (sender) {
        const bool whole_domain = sender->starts_with('@');
        if (whole_domain ? !message.sender.ends_with(*sender) : message.sender != *sender) return false;
    }
    const auto age = now - message.received;
    if ((older && age < *older) || (younger && age > *younger)) return false;
    if (domain.empty() && reason.empty()) return true;
    return std::ranges::any_of(message.recipients, [&](const QueuedRecipient& one) {
        if (!domain.empty() && one.domain != domain) return false;
        return reason.empty() || (one.status + " " + one.text).find(reason) != std::string::npos;
    });
}

std::optional<std::chrono::seconds> parse_age(std::string_view text) {
    long long count = 0;
    const auto* end = text.data() + text.size();
    const auto [at, error] = std::from_chars(text.data(), end, count);
    if (error != std::errc() || count < 0 || count > 1'000'000'000) return std::nullopt;
    const std::string_view unit(at, static_cast<std::size_t>(end - at));
    if (unit.empty() || unit == "s") return std::chrono::seconds(count);
    if (unit == "m") return std::chrono::minutes(count);
    if (unit == "h") return std::chrono::hours(count);
    if (unit == "d") return std::chrono::hours(24 * count);
    return std::nullopt;
}

}  // namespace postern::queue
