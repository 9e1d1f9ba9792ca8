#include <policy/secure_list.hpp>

namespace postern::policy {

bool SecureList::add(std::string entry) { return entries_.insert(std::move(entry)).second; }

std::string_view SecureList::entry_for(std::string_view domain) const {
    if (domain.empty() || domain.front() == '[') return {};
    if (auto exact = entries_.find(domain); exact != entries_.end()) return *exact;
    // From the left, so that the first suffix that is listed is the longest.
    for (auto dot = domain.find('.'); dot != std::string_view::npos; dot = domain.find('.', dot + 1))
        if (auto suffix = entries_.find(domain.substr(dot)); suffix != entries_.end()) return *suffix;
    return {};
}

std::string_view entry_domain(std::string_view entry) { return entry.starts_with('.') ? entry.substr(1) : entry; }

}  // namespace postern::policy
