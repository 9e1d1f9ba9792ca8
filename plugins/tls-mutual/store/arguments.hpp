// The words behind a command, held against what it takes. Unknown options are refused, with what was meant.
#pragma once

#include <map>
#include <postern/pending.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace postern::tls_mutual {

enum class Takes : std::uint8_t { nothing, one, many };
struct Option {
    std::string_view name;  // "--domain"
    Takes takes = Takes::one;
};

class Arguments {
public:
    // `words` after the command's own. Failure token: "usage".
    static Outcome<Arguments> read(const std::vector<std::string>& words, const std::vector<Option>& options,
                                   std::size_t most_plain);

    bool has(std::string_view option) const { return given_.find(option) != given_.end(); }
    std::string value(std::string_view option, std::string_view otherwise = {}) const;
    std::vector<std::string> values(std::string_view option) const;
    const std::vector<std::string>& plain() const { return plain_; }

private:
    std::map<std::string, std::vector<std::string>, std::less<>> given_;
    std::vector<std::string> plain_;
};

}  // namespace postern::tls_mutual
