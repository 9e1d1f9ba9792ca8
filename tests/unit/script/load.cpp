#include <sys/stat.h>

#include "lab.hpp"

using namespace postern;
using namespace postern::script;
using namespace postern::script::test;
using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;

TEST_CASE("a folder without scripts is a set without scripts", "[script][load]") {
    Folder folder;
    const auto set = folder.load();
    CHECK(set->files().empty());
    CHECK_FALSE(set->has_partner("woodgrovebank.com"));
}

TEST_CASE("scripts for all and for partners are found, everything else is left alone", "[script][load]") {
    Folder folder;
    folder.with("a.lua", "").with("README", "no Lua").with("examples/b.lua", "no Lua either");
    folder.with("partners/woodgrovebank.com.lua", "").with("partners/.fabrikam.com.lua", "");
    const auto set = folder.load();
    CHECK(set->files().size() == 3);
    CHECK(set->files().front() == folder.file("a.lua"));
    CHECK(set->has_partner("woodgrovebank.com"));
    CHECK(set->has_partner(".fabrikam.com"));
    CHECK_FALSE(set->has_partner("fabrikam.com"));
}

TEST_CASE("every fault of every file is named by file and line at once", "[script][load]") {
    Folder folder;
    folder.with("a.lua", "local x =\n\n= 2")
        .with("b.lua",
              "postern.on('mial', function() end)\n"
              "postern.on('mail')\n"
              "postern.onn('mail', function() end)");
    folder.with("c.lua", "").with("partners/woodgrovebank.com.lua", "\nundefined()");
    const auto problems = folder.problems();
    REQUIRE(problems.size() == 5);
    CHECK_THAT(problems[0], StartsWith(folder.file("a.lua") + ":3: ") && Contains("unexpected symbol near '='"));
    CHECK_THAT(problems[1], StartsWith(folder.file("b.lua") + ":1: ") &&
                                Contains("there is no event \"mial\" (did you mean mail?)"));
    CHECK_THAT(problems[2],
               StartsWith(folder.file("b.lua") + ":2: ") && Contains("the name of an event and a function"));
    CHECK_THAT(problems[3],
               StartsWith(folder.file("b.lua") + ":3: ") && Contains("there is no postern.onn (did you mean on?)"));
    CHECK_THAT(problems[4], StartsWith(folder.file("partners/woodgrovebank.com.lua") + ":2: ") &&
                                Contains("there is no global 'undefined'"));
}

TEST_CASE("a typo behind postern. is found inside handlers too", "[script][load]") {
    Folder folder;
    folder.with("a.lua", "-- postern.nonsense in a comment\nlocal s = 'postern.nonsense'\n" +
                             on_mail("if postern.lsited('send', 'x') then return postern.rejct('no') end"));
    const auto problems = folder.problems();
    REQUIRE(problems.size() == 2);
    CHECK_THAT(problems[0], StartsWith(folder.file("a.lua") + ":4: ") && Contains("did you mean listed?"));
    CHECK_THAT(problems[1], Contains("there is no postern.rejct (did you mean reject?)"));
}

TEST_CASE("a folder that is missing, or is none, is a problem", "[script][load]") {
    Folder folder;
    std::vector<config::ConfigProblem> problems;
    CHECK_FALSE(ScriptSet::load(folder.file("missing"), problems));
    folder.with("file", "");
    CHECK_FALSE(ScriptSet::load(folder.file("file"), problems));
    REQUIRE(problems.size() == 2);
    CHECK_THAT(problems[0].problem, Contains("No such file"));
    CHECK_THAT(problems[1].problem, Contains("is no folder"));
}

TEST_CASE("what is no regular file, too long, or writable by others is refused", "[script][load]") {
    Folder folder;
    folder.with("long.lua", "-- " + std::string(300'000, 'x')).with("open.lua", "");
    ::chmod(folder.file("open.lua").c_str(), 0666);
    REQUIRE(::mkfifo(folder.file("pipe.lua").c_str(), 0600) == 0);
    std::filesystem::create_directory(folder.file("folder.lua"));
    std::filesystem::create_symlink("nowhere", folder.file("dangling.lua"));
    const auto problems = folder.problems();
    REQUIRE(problems.size() == 5);
    CHECK_THAT(problems[0], Contains("dangling.lua") && Contains("cannot be read"));
    CHECK_THAT(problems[1], Contains("folder.lua") && Contains("is no regular file"));
    CHECK_THAT(problems[2], Contains("is longer than 256 KiB"));
    CHECK_THAT(problems[3], Contains("is writable by others; chmod o-w it"));
    CHECK_THAT(problems[4], Contains("pipe.lua") && Contains("is no regular file"));
}

TEST_CASE("a partner's file is named by the canonical entry", "[script][load]") {
    Folder folder;
    folder.with("partners/Woodgrovebank.com.lua", "").with("partners/not a domain.lua", "").with("partners/..lua", "");
    const auto problems = folder.problems();
    REQUIRE(problems.size() == 3);
    CHECK_THAT(problems[0], Contains("is not named by a domain"));
    CHECK_THAT(problems[1], Contains("rename it to woodgrovebank.com.lua"));
    CHECK_THAT(problems[2], Contains("partners/DOMAIN.lua"));
}

TEST_CASE("bytecode is refused", "[script][load]") {
    Folder folder;
    folder.with("a.lua", "\x1bLua\x54 anything");
    const auto problems = folder.problems();
    REQUIRE(problems.size() == 1);
    CHECK_THAT(problems[0], Contains("attempt to load a binary chunk"));
}

TEST_CASE("a top level that loops or grows is refused, and the next file is judged by itself", "[script][load]") {
    Folder folder;
    folder.with("a.lua", "while true do end")
        .with("b.lua", "local t = {} for i = 1, 1e9 do t[i] = i end")
        .with("c.lua", "");
    const auto problems = folder.problems();
    REQUIRE(problems.size() == 2);
    CHECK_THAT(problems[0], StartsWith(folder.file("a.lua") + ":1: ") && Contains("ran "));
    CHECK_THAT(problems[1], StartsWith(folder.file("b.lua")) && Contains("MiB of memory"));
}

TEST_CASE("lists are not known while a file loads", "[script][load]") {
    const auto problems = Folder().with("a.lua", "local x = postern.listed('send', 'a.example')").problems();
    REQUIRE(problems.size() == 1);
    CHECK_THAT(problems[0], Contains("postern.listed belongs inside a handler"));
}

TEST_CASE("the scripts that are shipped load", "[script][load]") {
    Folder folder;
    namespace fs = std::filesystem;
    const fs::path shipped = fs::path(POSTERN_SOURCE_DIR) / "scripts";
    fs::copy(shipped / "domain-security.lua", folder.path);
    fs::create_directory(folder.path / "partners");
    for (const auto& one : fs::directory_iterator(shipped / "examples"))
        if (one.is_regular_file()) fs::copy(one.path(), folder.path / "partners");
    fs::copy(shipped / "examples" / "dnsbl", folder.path, fs::copy_options::recursive);
    CHECK(folder.load()->has_partner("woodgrovebank.com"));
    Asked asked(folder);
    CHECK_FALSE(asked.mail().decision.demand);
    const auto answer = asked.mail("woodgrovebank.com");
    INFO(answer.error);
    REQUIRE(answer.decision.demand);
    CHECK(answer.decision.demand->mutual);
    CHECK(answer.decision.demand->minimum == TlsVersion::tls13);
    CHECK_FALSE(answer.decision.demand->issuers.empty());
    const auto listed =
        asked.host.decide(policy::AskedQuestion(Event::mail, &asked.session, &asked.envelope, {}, "woodgrovebank.com"));
    REQUIRE(listed.decision.demand);
    CHECK(listed.decision.demand->mutual);
}
