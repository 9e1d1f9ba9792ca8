// The keys of proxy-winhttp { ... }. The proxy itself is none of them: it stands in proxy.info.
#pragma once

#include <postern/host.hpp>

namespace postern::proxy_winhttp {

std::vector<KeySpec> keys();
std::vector<SettingsProblem> check(const SettingsNode& node);

}  // namespace postern::proxy_winhttp
