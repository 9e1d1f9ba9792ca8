// Proxy settings as other programs of this machine have them: the environment, /etc/environment, apt's. What they say
// that a WinHTTP-like setting cannot is left out and told.
//
// Pure: text in, settings out. Who reads the files and runs apt-config is verbs.cpp.
#pragma once

#include <map>
#include <proxy-winhttp/proxy_settings.hpp>

namespace postern::proxy_winhttp {

struct Imported {
    ProxySettings settings;
    std::vector<std::string> notes;  // what was left out and why, a sentence each
};
using Variables = std::map<std::string, std::string>;

// http_proxy, https_proxy, all_proxy, no_proxy, in either case; nothing where none of the first three is set. A failure
// names the variable, without credentials.
Outcome<std::optional<Imported>> from_variables(const Variables& variables);
// Lines of NAME=VALUE as pam_env reads them: `export` and quotes may stand around.
Variables read_environment_file(std::string_view text);
// What `apt-config dump` prints.
Outcome<std::optional<Imported>> from_apt(std::string_view dump);

}  // namespace postern::proxy_winhttp
