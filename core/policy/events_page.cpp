// docs/events.md, from the table.
#include <policy/events.hpp>

namespace postern::policy {

static std::string row_text(const EventRow& row) {
    std::string text = "## " + std::string(row.name) + "\n\n" + std::string(row.when) + ".\n\n";
    const std::string views = row.session ? (row.envelope ? "session, envelope" : "session") : "none";
    text += "- views: " + views + "\n";
    for (const auto& detail : row.details)
        text += "- `event." + std::string(detail.name) + "`: " + std::string(detail.explanation) +
                (detail.number ? " (a number)" : "") + "\n";
    std::string takes = row.verdict ? "defer, reject" : "";
    if (row.demand) takes += takes.empty() ? "a requirement" : ", a requirement";
    for (const auto kind : row.effects)
        takes += (takes.empty() ? "" : ", ") + ("`" + std::string(find_effect(kind)->name) + "`");
    text += "- takes: " + (takes.empty() ? "nothing, it is told" : takes) + "\n";
    return text + "- on failure: " + std::string(row.on_failure) + "\n\n";
}

std::string events_page() {
    std::string text =
        "# Events\n\n<!-- Printed by `posternd --print-events`; the table is core/policy/events.cpp. -->\n\n"
        "Native deciders (`include/postern/event.hpp`) and Lua scripts (`docs/scripts.md`) are asked at the same "
        "events,"
        " under the\nsame names. The strictest verdict wins, requirements merge field by field to the strictest, "
        "effects"
        " are carried out in\nthe order in which deciders are asked. An answer that an event does not take fails "
        "closed."
        " Observers are told each event\nafter it was decided and delay nothing.\n\n";
    for (const auto& row : event_rows()) text += row_text(row);
    text += "## Effects\n\n| effect | arguments | what it does |\n|---|---|---|\n";
    for (const auto& row : effect_rows())
        text += "| `" + std::string(row.name) + "` | " + std::string(row.arguments) + " | " +
                std::string(row.explanation) + " |\n";
    return text;
}

}  // namespace postern::policy
