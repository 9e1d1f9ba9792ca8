#include <app/config_report.hpp>
#include <boost/json.hpp>

namespace postern::app {

namespace json = boost::json;

std::string as_json(const std::vector<config::Understood>& all) {
    json::array list;
    for (const auto& one : all) {
        json::object shown{{"blocks", json::array(one.blocks.begin(), one.blocks.end())},
                           {"key", one.key},
                           {"value", one.value},
                           {"entry", one.entry},
                           {"changed", one.changed},
                           {"restart", one.restart}};
        if (!one.file.empty()) {
            shown["file"] = one.file;
            shown["line"] = one.line;
        }
        list.push_back(std::move(shown));
    }
    return json::serialize(list) + "\n";
}

static config::Understood read_one(const json::object& shown) {
    config::Understood one;
    for (const auto& block : shown.at("blocks").as_array()) one.blocks.emplace_back(block.as_string());
    one.key = shown.at("key").as_string();
    one.value = shown.at("value").as_string();
    one.entry = shown.at("entry").as_bool();
    one.changed = shown.at("changed").as_bool();
    one.restart = shown.at("restart").as_bool();
    if (const auto* file = shown.if_contains("file")) {
        one.file = file->as_string();
        one.line = static_cast<std::uint32_t>(shown.at("line").to_number<std::uint32_t>());
    }
    return one;
}

std::optional<std::vector<config::Understood>> from_json(std::string_view text) {
    try {
        const auto parsed = json::parse(json::string_view(text.data(), text.size()));
        std::vector<config::Understood> all;
        for (const auto& one : parsed.as_array()) all.push_back(read_one(one.as_object()));
        return all;
    } catch (const std::exception&) {
        return std::nullopt;
    }
}

}  // namespace postern::app
