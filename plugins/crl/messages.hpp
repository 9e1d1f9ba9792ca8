// Everything that this plugin logs: stable id, and what an operator should make of it.
#pragma once

#include <array>
#include <postern/host.hpp>

namespace postern::crl::messages {

inline constexpr std::string_view crl_fetched = "crl-fetched";
inline constexpr std::string_view crl_imported = "crl-imported";
inline constexpr std::string_view crl_fetch_failed = "crl-fetch-failed";
inline constexpr std::string_view crl_cache_damaged = "crl-cache-damaged";
inline constexpr std::string_view crl_cache_failed = "crl-cache-failed";
inline constexpr std::string_view crl_file_unusable = "crl-file-unusable";

struct Entry {
    std::string_view id;
    Severity severity;
    std::string_view explanation;
};
inline constexpr std::array catalogue{
    Entry{crl_fetched, Severity::info, "A list was fetched and verified; says which way the request went."},
    Entry{crl_imported, Severity::info, "A list was taken from a file by `postern crl import`."},
    Entry{crl_fetch_failed, Severity::warning,
          "A list could not be fetched or was not believed. Whoever depends on it is deferred once the one at hand "
          "ends. `postern crl refresh URL` tries again at once."},
    Entry{crl_cache_damaged, Severity::warning,
          "A file of the disk cache is damaged and was set aside; the list is fetched again when it is needed."},
    Entry{crl_cache_failed, Severity::error,
          "A list could not be written to the disk cache: it must be fetched again after a restart. See the state "
          "folder's space and owner."},
    Entry{crl_file_unusable, Severity::error, "A list named under `files` cannot be read or decoded."},
};

}  // namespace postern::crl::messages
