// docs/lua.md and the annotations for LuaLS, from the tables.
#include <policy/events.hpp>
#include <script/api.hpp>
#include <script/pages.hpp>
#include <script/test_functions.hpp>

namespace postern::script {

namespace {

std::string camel(std::string_view name) {  // "header_end" -> "HeaderEnd"
    std::string text;
    bool upper = true;
    for (const char c : name) {
        if (c == '_') upper = true;
        else text += upper && c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c, upper = false;
    }
    return text;
}

std::string names_of(std::span<const ApiParameter> parameters) {
    std::string text;
    for (const auto& one : parameters) text += (text.empty() ? "" : ", ") + std::string(one.name);
    return text;
}

std::string full_name(const ApiRow& row) {
    const bool method = row.name.find(':') != std::string_view::npos;
    return (method ? "" : "postern.") + std::string(row.name);
}

// A cell of a table: a bar would end it.
std::string cell(std::string_view text) {
    std::string safe;
    for (const char c : text) safe += c == '|' ? std::string("\\|") : std::string(1, c);
    return safe;
}

std::string function_text(const ApiRow& row) {
    std::string text = "### " + full_name(row) + "(" + names_of(row.parameters) + ")\n\n";
    text += std::string(row.explanation) + "\n\n";
    for (const auto& one : row.parameters)
        text += "- `" + std::string(one.name) + "` (`" + std::string(one.type) + "`): " + std::string(one.explanation) +
                "\n";
    if (!row.returns.empty()) text += "- returns `" + std::string(row.returns) + "`\n";
    return text + (row.parameters.empty() && row.returns.empty() ? "" : "\n");
}

std::string class_text(const ApiClass& one) {
    std::string text = "### " + std::string(one.name) + "\n\n" + std::string(one.explanation) +
                       "\n\n| field | type | what |\n|---|---|---|\n";
    for (const auto& field : one.fields)
        text +=
            "| `" + std::string(field.name) + "` | `" + cell(field.type) + "` | " + cell(field.explanation) + " |\n";
    return text + "\n";
}

std::string annotated_function(const ApiRow& row, const std::string& name_in_full) {
    std::string text = "--- " + std::string(row.explanation) + "\n";
    for (const auto& one : row.parameters) {
        std::string name(one.name), type(one.type);
        if (type.ends_with('?')) name += '?', type.pop_back();
        text += "---@param " + name + " " + type + " # " + std::string(one.explanation) + "\n";
    }
    if (!row.returns.empty()) text += "---@return " + std::string(row.returns) + "\n";
    return text + "function " + name_in_full + "(" + names_of(row.parameters) + ") end\n\n";
}

std::string annotated_class(const ApiClass& one) {
    std::string text = "--- " + std::string(one.explanation) + "\n---@class " + std::string(one.name) + "\n";
    for (const auto& field : one.fields)
        text += "---@field " + std::string(field.name) + " " + std::string(field.type) + " # " +
                std::string(field.explanation) + "\n";
    return text + "\n";
}

std::string annotated_tests() {
    std::string text = "-- In *_test.lua alone.\ntest = {}\n\n";
    for (const auto& one : test_classes()) text += annotated_class(one);
    for (const auto& row : test_rows()) text += annotated_function(row, "test." + std::string(row.name));
    return text;
}

std::string annotated_events() {
    std::string names, overloads, text;
    for (const auto& row : policy::event_rows()) {
        const auto type = "postern." + camel(row.name) + "Event";
        text += "---@class " + type + ": postern.Event\n";
        for (const auto& detail : row.details)
            text += "---@field " + std::string(detail.name) + (detail.number ? " integer # " : " string # ") +
                    std::string(detail.explanation) + "\n";
        text += "\n";
        names += (names.empty() ? "\"" : "|\"") + std::string(row.name) + '"';
        const auto session = row.session ? "postern.Session" : "nil",
                   envelope = row.envelope ? "postern.Envelope" : "nil";
        overloads += "---@overload fun(event: \"" + std::string(row.name) + "\", handler: fun(session: " + session +
                     ", envelope: " + envelope + ", event: " + type + "): ...)\n";
    }
    text += "---@alias postern.EventName " + names + "\n\n";
    const auto& on = api_rows().front();
    return text + "--- " + std::string(on.explanation) + "\n" + overloads + "---@param event postern.EventName\n" +
           "---@param handler fun(session: postern.Session?, envelope: postern.Envelope?, event: postern.Event): "
           "...\n" +
           "function postern.on(event, handler) end\n\n";
}

}  // namespace

std::string lua_page() {
    std::string text =
        "# What scripts can call and see\n\n<!-- Printed by `posternd --print-lua`; the tables are core/script/api.cpp,"
        " views.cpp, answers.cpp. -->\n\nHow to write a script is in [scripts.md](scripts.md); when it is asked, in "
        "[events.md](events.md). Editors with LuaLS take\n[annotations](../scripts/annotations/postern.lua) made of "
        "the "
        "same tables.\n\n## Functions\n\n";
    for (const auto& row : api_rows()) text += function_text(row);
    text += "## Effects\n\n| call | what it does |\n|---|---|\n";
    for (const auto& row : policy::effect_rows())
        text += "| `postern." + std::string(row.name) + "(" + std::string(row.arguments) + ")` | " +
                std::string(row.explanation) + " |\n";
    text += "\n## Objects\n\nReading a field that does not exist is an error, and so is assigning.\n\n";
    for (const auto& one : api_classes()) text += class_text(one);
    text.pop_back();
    return text;
}

std::string lua_annotations() {
    std::string text =
        "---@meta postern\n-- Printed by `posternd --print-lua-annotations`: what policy scripts can call and see, for "
        "editors with LuaLS.\n-- Put this folder into the setting workspace.library.\n\npostern = {}\n\n"
        "---@class postern.Verdict\n---@class postern.Effect\n---@class postern.Map\nlocal Map = {}\n"
        "---@class postern.Networks\nlocal Networks = {}\n\n";
    for (const auto& one : api_classes()) text += annotated_class(one);
    text += annotated_events();
    for (const auto& row : api_rows().subspan(1)) text += annotated_function(row, full_name(row));
    for (const auto& row : policy::effect_rows()) {
        std::string arguments;
        if (row.wants_name) arguments += "name";
        if (row.wants_value) arguments += arguments.empty() ? "value" : ", value";
        text += "--- " + std::string(row.explanation) + "\n";
        if (row.wants_name) text += "---@param name string\n";
        if (row.wants_value) text += "---@param value string\n";
        text += "---@return postern.Effect\nfunction postern." + std::string(row.name) + "(" + arguments + ") end\n\n";
    }
    text += annotated_tests();
    text.pop_back();
    return text;
}

}  // namespace postern::script
