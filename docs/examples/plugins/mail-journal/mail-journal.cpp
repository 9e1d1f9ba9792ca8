// An observer: one line of JSON for each message that was queued, and for each attempt to deliver it. Runs on its lane;
// a slow disk delays no mail, and what the lane cannot take is dropped and counted.
#include <fstream>
#include <postern/plugin.hpp>

using namespace postern;

namespace {

// RFC 8259 7.
std::string quoted(std::string_view text) {
    std::string out = "\"";
    for (const unsigned char c : text) {
        if (c == '"' || c == '\\') out += '\\';
        if (c >= ' ') out += static_cast<char>(c);
        else out += "?";
    }
    return out + '"';
}

class MailJournal : public Plugin, public Observer {
public:
    std::vector<KeySpec> keys() const override { return {{"file", KeyKind::path, {}, "Where the lines go."}}; }
    std::vector<SettingsProblem> check(const SettingsNode& settings) const override {
        if (!settings.text("file").empty()) return {};
        return {{settings.file, settings.line, "file", "is missing: name the file that the lines go to"}};
    }
    void start(Registrar& registrar) override { registrar.provide<Observer>(*this); }
    void apply(const SettingsNode& settings) override { file_ = settings.text("file"); }
    std::vector<Event> events() const override { return {Event::queued, Event::delivery_result}; }

    void saw(const Occurrence& what) override {
        std::string line = what.event == Event::queued ? "{\"event\":\"queued\"" : "{\"event\":\"delivery_result\"";
        if (!what.session.empty()) line += ",\"session\":" + quoted(what.session) + ",\"from\":" + quoted(what.sender);
        for (const auto& [name, value] : what.details) line += "," + quoted(name) + ":" + quoted(value);
        std::ofstream(file_, std::ios::app) << line << "}\n";
    }

private:
    std::string file_;  // set on the reload thread before the first event, and between two only by a reload
};

}  // namespace

POSTERN_PLUGIN("mail-journal", "1.0");
POSTERN_ENTRY(MailJournal)
