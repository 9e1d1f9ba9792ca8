// Files that may hold a private key: asked by the opened descriptor what they are, read once, wiped when done.
//
// Nothing here knows what stands in them.
#pragma once

#include <postern/pending.hpp>
#include <string>

namespace postern::tls_mutual {

// Octets that may be a key or a password. Whoever fills it reserves first: growth would leave copies behind.
struct Secret {
    Bytes bytes;
    Secret() = default;
    Secret(Secret&&) = default;
    Secret(const Secret&) = delete;
    Secret& operator=(const Secret&) = delete;
    Secret& operator=(Secret&& other) noexcept {
        bytes.swap(other.bytes);  // what was here is wiped with `other`
        return *this;
    }
    ~Secret();
    std::string_view text() const { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }
};

enum class Holds : std::uint8_t { no_secret, key };

inline constexpr std::size_t most_file_octets = 1u << 20;

// A regular file of at most 1 MiB; with `Holds::key` not open to every user. The failure ("no-own-certificate") names
// file, fault and remedy.
Outcome<Secret> read_guarded(const std::string& path, Holds holds);
// Standard input, up to its end or 1 MiB.
Outcome<Secret> read_all_of(int descriptor, const std::string& name);

}  // namespace postern::tls_mutual
