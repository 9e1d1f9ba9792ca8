// Final delivery by a plugin (accepted_domain { deliver maildir }): Return-Path in front, one recipient a call.
#pragma once

#include <net/services.hpp>
#include <smtp/client_session.hpp>

namespace postern::net {

awaitable<void> deliver_by_provider(Services& services, queue::Destination destination);

// Shared with outbound.cpp: records outcomes off the loop.
// Who listens at delivery_result is told.
void announce_results(Services& services, const queue::Batch& batch,
                      const std::vector<smtp::RecipientOutcome>& outcomes, const std::string& relay);
awaitable<void> settle(Services& services, queue::Batch batch, std::vector<smtp::RecipientOutcome> outcomes,
                       std::string relay, std::string tls);
std::vector<smtp::RecipientOutcome> same_for_all(const queue::Batch& batch, const smtp::ClientFailure& failure);

}  // namespace postern::net
