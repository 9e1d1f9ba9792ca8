// Modules and data files: shared code and lists, no shared state.
#include <script/api.hpp>
#include <script/data_files.hpp>
#include <script/pages.hpp>
#include <script/sandbox.hpp>

#include "lab.hpp"

using namespace postern;
using namespace postern::script;
using namespace postern::script::test;
using Catch::Matchers::Contains;

TEST_CASE("each script has its own copy of a module", "[script][sharing]") {
    Folder folder;
    folder.with("modules/counting.lua", "local n = 0\nreturn { next = function() n = n + 1 return n end }")
        .with("a.lua", "local counting = postern.module('counting')\n" + on_mail("postern.log('a' .. counting.next())"))
        .with("b.lua",
              "local counting = postern.module('counting')\n" + on_mail("postern.log('b' .. counting.next())"));
    Asked asked(folder);
    CHECK(asked.mail().error.empty());
    CHECK(asked.mail().error.empty());
    REQUIRE(asked.logged.size() == 4);
    CHECK_THAT(asked.logged[0], Contains("a1"));
    CHECK_THAT(asked.logged[1], Contains("b1"));
    CHECK_THAT(asked.logged[2], Contains("a2"));
}

TEST_CASE("a module that registers handlers does so for the script that opens it", "[script][sharing]") {
    Folder folder;
    folder
        .with("modules/strict.lua",
              "return function(least)\n  postern.on('mail', function() return { min_tls = least } end)\nend")
        .with("partners/woodgrovebank.com.lua", "postern.module('strict')('1.3')");
    Asked asked(folder);
    CHECK_FALSE(asked.mail().decision.demand);
    const auto answer = asked.mail("woodgrovebank.com");
    REQUIRE(answer.decision.demand);
    CHECK(answer.decision.demand->minimum == TlsVersion::tls13);
    CHECK(answer.partner_spoke);
}

TEST_CASE("faults in modules name the module's file and line", "[script][sharing]") {
    Folder folder;
    folder.with("modules/broken.lua", "return {\n  x = = 1\n}");
    CHECK_THAT(folder.problems().at(0), Contains("modules/broken.lua:2: script: "));
    Folder typo;
    typo.with("modules/typo.lua", "return {\n f = function() postern.rejct('x') end }");
    CHECK_THAT(typo.problems().at(0), Contains("modules/typo.lua:2: script: there is no postern.rejct"));
    Folder late;
    late.with("modules/late.lua", "return { f = function()\n  local t\n  return t.x\nend }")
        .with("partners/woodgrovebank.com.lua", "local late = postern.module('late')\n" + on_mail("late.f()"));
    Asked asked(late);
    CHECK_THAT(asked.mail("woodgrovebank.com").error, Contains("modules/late.lua:3: attempt to index a nil value") &&
                                                          Contains("(called by ") &&
                                                          Contains("partners/woodgrovebank.com.lua)"));
    Folder loading;
    loading.with("modules/bad.lua", "local x = 1\nerror('no')").with("a.lua", "postern.module('bad')");
    CHECK_THAT(loading.problems().at(0), Contains("modules/bad.lua:2: script: no (called by "));
    Folder nothing;
    nothing.with("modules/nothing.lua", "local x = 1").with("a.lua", "postern.module('nothing')");
    CHECK_THAT(nothing.problems().at(0), Contains("returned nothing"));
    Folder missing;
    missing.with("modules/common.lua", "return 1").with("a.lua", "postern.module('comon')");
    CHECK_THAT(missing.problems().at(0), Contains("there is no modules/comon.lua (did you mean common"));
}

TEST_CASE("a map and networks are looked up", "[script][sharing]") {
    Folder folder;
    folder.with("data/vips.map", "# who\nBoss@Contoso.com  gold card\nplain@contoso.com\n\n.example.net below\n")
        .with("data/office.cidr", "192.0.2.0/24 office\n192.0.2.128/25 lab\n2001:db8::/32 six\n198.51.100.7 one\n")
        .with("a.lua",
              "local vips, office = postern.map('vips.map'), postern.networks('office.cidr')\n" +
                  on_mail("postern.log(tostring(vips:find('boss@contoso.COM')) .. '/' ..\n"
                          "  tostring(vips:find('plain@contoso.com')) .. '/' .. tostring(vips:find('x')) .. '/' ..\n"
                          "  tostring(vips:find_domain('a.b.example.net')) .. '/' ..\n"
                          "  tostring(vips:find_domain('example.net')))\n"
                          "postern.log(office:find('192.0.2.1') .. office:find('192.0.2.129') ..\n"
                          "  office:find('2001:db8::5') .. office:find('198.51.100.7') ..\n"
                          "  tostring(office:find('203.0.113.1')) .. tostring(office:find('no address')))"));
    Asked asked(folder);
    CHECK(asked.mail().error.empty());
    REQUIRE(asked.logged.size() == 2);
    CHECK_THAT(asked.logged[0], Contains("gold card//nil/below/nil"));
    CHECK_THAT(asked.logged[1], Contains("officelabsixonenilnil"));
}

TEST_CASE("every fault of a data file is told with its line", "[script][sharing]") {
    Folder folder;
    folder.with("data/a.map", "x 1\ny 2\nX 3\n")
        .with("data/b.cidr", "192.0.2.0/33\n192.0.2.1/24\nmail.example.org\n192.0.2.0/24\n192.0.2.0/24 again\n");
    const auto problems = folder.problems();
    REQUIRE(problems.size() == 5);
    CHECK_THAT(problems[0], Contains("data/a.map:3: X: stands here twice"));
    CHECK_THAT(problems[1], Contains("data/b.cidr:1: 192.0.2.0/33: has a prefix length that is not 0 to 32"));
    CHECK_THAT(problems[2], Contains("data/b.cidr:2: 192.0.2.1/24: has bits behind its prefix"));
    CHECK_THAT(problems[3], Contains("data/b.cidr:3: mail.example.org: is no IPv4 or IPv6 address"));
    CHECK_THAT(problems[4], Contains("data/b.cidr:5: 192.0.2.0/24: stands here twice"));
    CHECK_THAT(Folder().with("a.lua", "postern.map('no.map')").problems().at(0), Contains("there is no data/no.map"));
}

TEST_CASE("every name of postern is in the table that documents it, and the other way round", "[script][sharing]") {
    std::string body;
    for (const auto& name : postern_fields()) body += "assert(type(postern." + name + ") == 'function')\n";
    std::string known = ",";
    for (const auto& name : postern_fields()) known += name + ",";
    Asked asked(on_mail(body));
    CHECK(asked.mail().error.empty());
    for (const auto& row : api_rows()) {
        INFO(row.name);
        CHECK_FALSE(row.explanation.empty());
        for (const auto& one : row.parameters) CHECK_FALSE(one.explanation.empty());
    }
    const ScriptHostParts parts;
    const Library library;
    Sandbox sandbox({}, parts, library);
    std::string code;
    Sandbox::Fault fault;
    CHECK(sandbox.compile(lua_annotations(), chunk_name, code, fault));
    INFO(fault.line << ": " << fault.cause);
    CHECK_THAT(lua_annotations(), Contains("---@overload fun(event: \"mail\", handler: fun(session: postern.Session"));
}
