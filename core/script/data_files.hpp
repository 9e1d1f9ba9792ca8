// Files that scripts look things up in: `data/*.map` (a key and what belongs to it, one a line) and `data/*.cidr`
// (networks). Read once a generation, held outside of Lua and shared by all workers, so that ten thousand entries cost
// a state nothing. Immutable once read.
#pragma once

#include <array>
#include <config/settings.hpp>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace postern::script {

struct FoldedHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
};

// Keys are compared in lower case (ASCII).
class KeyFile {
public:
    // Adds "key value of the rest"; false: the key stands there already.
    bool add(std::string_view key, std::string_view value);
    std::optional<std::string_view> find(std::string_view key) const;
    // The domain itself before the longest ".suffix" above it, as in secure lists.
    std::optional<std::string_view> find_domain(std::string_view domain) const;
    std::size_t size() const { return values_.size(); }

private:
    std::unordered_map<std::string, std::string, FoldedHash, std::equal_to<>> values_;
};

// IPv4 and IPv6 networks (RFC 4632, RFC 4291 2.3); the longest prefix answers.
class NetworkFile {
public:
    // "192.0.2.0/24", "2001:db8::/32" or an address; empty, or what is wrong.
    std::string add(std::string_view network, std::string_view value);
    std::optional<std::string_view> find(std::string_view address) const;  // a literal, as session.remote_address
    std::size_t size() const { return size_; }

private:
    using Address = std::array<std::uint8_t, 16>;  // IPv4 as ::ffff:a.b.c.d
    struct Hash {
        std::size_t operator()(const Address& one) const {
            return std::hash<std::string_view>()({reinterpret_cast<const char*>(one.data()), one.size()});
        }
    };
    static std::optional<Address> read(const std::string& literal, bool& four);
    static Address cut(Address address, unsigned bits);
    std::map<unsigned, std::unordered_map<Address, std::string, Hash>, std::greater<>> by_length_;
    std::size_t size_ = 0;
};

struct DataFiles {
    std::map<std::string, KeyFile, std::less<>> maps;          // by file name: "vips.map"
    std::map<std::string, NetworkFile, std::less<>> networks;  // "office.cidr"
};

// One file's text; faults as file:line. `name` ends in .map or .cidr.
void read_data_file(const std::string& path, const std::string& name, std::string_view text, DataFiles& into,
                    std::vector<config::ConfigProblem>& problems);

}  // namespace postern::script
