// What scripts wait for: DNS by the resolver, HTTP by the fetchers and their proxy settings.
#pragma once

#include <net/services.hpp>
#include <script/lookups.hpp>

namespace postern::net {

// Within `time` (and bounds of its own); never throws, what goes wrong stands in the answer.
awaitable<script::Found> look_up(const Services& services, const Generation& generation, const script::Lookup& wanted,
                                 std::chrono::milliseconds time);

}  // namespace postern::net
