// Everything that this plugin logs: stable id, and what an operator should make of it.
#pragma once

#include <array>
#include <postern/host.hpp>

namespace postern::proxy_winhttp::messages {

inline constexpr std::string_view proxy_settings_read = "proxy-settings-read";
inline constexpr std::string_view proxy_settings_unusable = "proxy-settings-unusable";
inline constexpr std::string_view https_roots_unusable = "https-roots-unusable";

struct Entry {
    std::string_view id;
    Severity severity;
    std::string_view explanation;
};
inline constexpr std::array catalogue{
    Entry{proxy_settings_read, Severity::info,
          "proxy.info was read for the first time or again; says what is in force."},
    Entry{
        proxy_settings_unusable, Severity::error,
        "proxy.info cannot be read or understood, so nothing is fetched, neither directly nor by proxy. Write it anew "
        "with `postern proxy set` or `postern proxy direct`. Also an alarm."},
    Entry{https_roots_unusable, Severity::error,
          "A file under `https_roots` cannot be used, so no https server is trusted. Mend it, then SIGHUP. Also an "
          "alarm."},
};

}  // namespace postern::proxy_winhttp::messages
