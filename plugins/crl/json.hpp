// JSON as the commands print it: one object, member after member. Only what --json needs; knows no lists.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace postern::crl {

std::string quoted(std::string_view text);

class JsonObject {
public:
    JsonObject& text(std::string_view name, std::string_view value) { return raw(name, quoted(value)); }
    JsonObject& number(std::string_view name, std::uint64_t value) { return raw(name, std::to_string(value)); }
    JsonObject& flag(std::string_view name, bool value) { return raw(name, value ? "true" : "false"); }
    JsonObject& raw(std::string_view name, std::string_view json) {
        members_ += (members_.empty() ? "" : ", ") + quoted(name) + ": " + std::string(json);
        return *this;
    }
    std::string written() const { return "{" + members_ + "}"; }

private:
    std::string members_;
};

// `[`, the elements a line each, `]`.
template <class Elements>
std::string json_array(const Elements& elements, std::string_view between = ",\n ") {
    std::string all;
    for (const auto& one : elements) all += (all.empty() ? "" : std::string(between)) + one;
    return "[" + all + "]";
}

}  // namespace postern::crl
