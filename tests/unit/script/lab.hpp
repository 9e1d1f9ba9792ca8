// A scripts folder made for one test, and a session and envelope to ask about.
#pragma once

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <policy/events.hpp>
#include <script/script_set.hpp>

namespace postern::script::test {

struct Folder {
    Folder() {
        std::string name = "/tmp/postern-scripts-XXXXXX";
        if (!::mkdtemp(name.data())) throw std::runtime_error("no folder for the test");
        path = name;
    }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    ~Folder() { std::filesystem::remove_all(path); }

    Folder& with(const std::string& name, const std::string& text) {
        std::filesystem::create_directories((path / name).parent_path());
        std::ofstream(path / name) << text;
        return *this;
    }
    std::string file(const std::string& name) const { return (path / name).string(); }
    std::vector<std::string> problems() const {
        std::vector<config::ConfigProblem> found;
        const auto set = ScriptSet::load(path.string(), found);
        CHECK((set == nullptr) == !found.empty());
        std::vector<std::string> texts;
        for (const auto& one : found) texts.push_back(config::to_text(one));
        return texts;
    }
    std::shared_ptr<const ScriptSet> load() const {
        std::vector<config::ConfigProblem> found;
        auto set = ScriptSet::load(path.string(), found);
        for (const auto& one : found) UNSCOPED_INFO(config::to_text(one));
        REQUIRE(set);
        return set;
    }
    std::filesystem::path path;
};

struct OneSession : Session {
    std::string_view id() const override { return "0123456789ABCDEF"; }
    std::string_view connector() const override { return "Inet"; }
    std::string_view remote_address() const override { return "192.0.2.1"; }
    std::string_view helo() const override { return "mail1.example.org"; }
    const TlsFacts* tls() const override { return facts ? &*facts : nullptr; }
    bool outbound() const override { return false; }
    std::optional<TlsFacts> facts;
};

struct OneEnvelope : Envelope {
    std::string_view sender() const override { return "a@example.org"; }
    std::string_view sender_domain() const override { return "example.org"; }
    std::size_t recipients() const override { return 2; }
    std::string_view recipient(std::size_t i) const override { return i ? "eve@contoso.com" : "bob@contoso.com"; }
    std::string_view recipient_domain(std::size_t) const override { return "contoso.com"; }
};

// Everything from the folder to the answer.
struct Asked {
    explicit Asked(const Folder& folder, Limits limits = {}) : host(folder.load(), parts(), limits) {}
    explicit Asked(const std::string& text, Limits limits = {})
        : host(Folder().with("policy.lua", text).load(), parts(), limits) {}

    ScriptHost::Answer mail(std::string_view partner = {}) { return ask(Event::mail, partner); }
    ScriptHost::Answer ask(Event event, std::string_view partner = {}) {
        return host.decide(policy::AskedQuestion(event, &session, &envelope, partner, "example.org"));
    }
    ScriptHostParts parts() {
        ScriptHostParts made;
        made.log = [this](Severity, std::string_view id, std::string_view text) {
            logged.push_back(std::string(id) + " " + std::string(text));
        };
        made.listed = [](std::string_view list, std::string_view domain) -> std::string_view {
            return list == "receive" && domain == "woodgrovebank.com" ? "woodgrovebank.com" : "";
        };
        return made;
    }
    std::vector<std::string> logged;
    OneSession session;
    OneEnvelope envelope;
    ScriptHost host;
};

// A handler of the event mail with this body.
inline std::string on_mail(const std::string& body) {
    return "postern.on('mail', function(session, envelope)\n" + body + "\nend)\n";
}

}  // namespace postern::script::test
