#include <gnutls/gnutls.h>

#include <algorithm>
#include <tls-mutual/ticket_keys.hpp>

namespace postern::tls_mutual {
namespace {

std::shared_ptr<const Secret> new_key() {
    gnutls_datum_t made{nullptr, 0};
    if (gnutls_session_ticket_key_generate(&made) != 0) return nullptr;
    auto key = std::make_shared<Secret>();
    key->bytes.assign(made.data, made.data + made.size);
    gnutls_memset(made.data, 0, made.size);
    gnutls_free(made.data);
    return key;
}

}  // namespace

std::shared_ptr<const Secret> TicketKeys::key(const std::string& scope, Instant now) {
    std::lock_guard lock(mutex_);
    auto found = keys_.find(scope);
    if (found != keys_.end() && now < found->second.until) return found->second.key;
    auto fresh = new_key();
    if (!fresh) return nullptr;
    if (found == keys_.end() && keys_.size() >= most)
        keys_.erase(std::ranges::min_element(keys_, {}, [](const auto& one) { return one.second.until; }));
    keys_[scope] = {fresh, now + life};
    return fresh;
}

void TicketKeys::sweep(Instant now) {
    std::lock_guard lock(mutex_);
    std::erase_if(keys_, [&](const auto& one) { return one.second.until <= now; });
}

std::size_t TicketKeys::size() const {
    std::lock_guard lock(mutex_);
    return keys_.size();
}

}  // namespace postern::tls_mutual
