#include "lab.hpp"

using namespace postern;
using namespace postern::script::test;
using Catch::Matchers::Contains;
using Catch::Matchers::EndsWith;

TEST_CASE("nil and no handler add nothing", "[script]") {
    for (const auto* text :
         {"", "postern.on('mail', function() end)", "postern.on('mail', function() return nil end)"}) {
        Asked asked{std::string(text)};
        const auto answer = asked.mail();
        CHECK_FALSE(answer.failed);
        CHECK_FALSE(answer.decision.demand);
        CHECK_FALSE(answer.decision.spoke);
        CHECK(answer.decision.verdict.kind == VerdictKind::proceed);
    }
}

TEST_CASE("a requirement table becomes a demand", "[script]") {
    Asked asked(
        on_mail("return { tls = 'mutual', min_tls = '1.3', issuer = 'O=Woodgrove Bank',"
                " names = { 'Mail1.Woodgrovebank.COM', 'mail2.woodgrovebank.com' }, purpose = 'client' }"));
    const auto answer = asked.mail();
    INFO(answer.error);
    REQUIRE(answer.decision.demand);
    const auto& demand = *answer.decision.demand;
    CHECK(demand.mutual);
    CHECK(demand.tls);
    CHECK(demand.minimum == TlsVersion::tls13);
    CHECK(demand.issuers == std::vector<std::string>{"O=Woodgrove Bank"});
    CHECK(demand.names == std::vector<std::string>{"mail1.woodgrovebank.com", "mail2.woodgrovebank.com"});
    CHECK(demand.purpose == Purpose::client);
    CHECK(answer.decision.spoke);
    CHECK_FALSE(answer.decision.replaces_floor);
}

TEST_CASE("an issuer alone demands mutual TLS, for without it nobody would look", "[script]") {
    CHECK(Asked(on_mail("return { issuer = 'O=Woodgrove Bank' }")).mail().decision.demand->mutual);
    CHECK_THAT(Asked(on_mail("return { issuer = 'x', tls = 'required' }")).mail().error,
               Contains("need tls = \"mutual\""));
}

TEST_CASE("verdicts carry their text and their codes", "[script]") {
    const auto reject = Asked(on_mail("return postern.reject('policy: not you')")).mail().decision.verdict;
    CHECK(reject.kind == VerdictKind::reject);
    CHECK(reject.reply.code == 550);
    CHECK(reject.reply.enhanced == "5.7.1");
    CHECK(reject.reply.text == "policy: not you");
    const auto defer = Asked(on_mail("return postern.defer('policy: later')")).mail().decision.verdict;
    CHECK(defer.kind == VerdictKind::defer);
    CHECK(defer.reply.code == 451);
    const auto proceed = Asked(on_mail("return postern.proceed()")).mail();
    CHECK(proceed.decision.verdict.kind == VerdictKind::proceed);
    CHECK(proceed.decision.spoke);
}

TEST_CASE("what is not understood to the letter fails, naming the field and what was meant", "[script]") {
    const std::pair<const char*, const char*> wrong[] = {
        {"return { tsl = 'mutual' }", "there is no field tsl (did you mean tls?)"},
        {"return { tls = 'mutal' }",
         "tls = \"mutal\" is not known, \"mutual\" or \"required\" is wanted (did you mean mutual?)"},
        {"return { tls = true }", "tls is a boolean, a text is wanted"},
        {"return { min_tls = 1.3 }", "min_tls is a number, a text is wanted"},
        {"return { min_tls = '1.1' }", "\"1.2\" or \"1.3\" is wanted"},
        {"return { names = {} }", "names is an empty list"},
        {"return { names = { a = 'x' } }", "names is an empty list"},
        {"return { names = { 'b.example', a = 'x' } }", "names is to be a list"},
        {"return { names = { 'not a name' } }", "\"not a name\" is not a domain name"},
        {"return { issuer = { 1 } }", "issuer is a number"},
        {"return { purpose = 'server' }", "\"client\" is wanted"},
        {"return { 'mutual' }", "a field is named by a number"},
        {"return {}", "an empty table demands nothing"},
        {"return setmetatable({}, { __index = { tls = 'mutual' } })", "an empty table demands nothing"},
        {"return true", "returned a boolean"},
        {"return 'reject'", "returned a string"},
        {"return postern.reject", "returned a function: call it"},
        {"return postern.reject()", "string expected, got no value"},
        {"return postern.reject('')", "a text of 1 to 300 characters"},
        {"return postern.reject('a\\r\\nb')", "without line breaks"},
        {"return postern.reject('a', 550)", "takes one text"},
        {"return postern.proceed('a')", "takes nothing"},
        {"return session", "returned a userdata"},
    };
    for (const auto& [body, cause] : wrong) {
        const auto answer = Asked(on_mail(body)).mail();
        INFO(body);
        CHECK(answer.failed);
        CHECK_THAT(answer.error, Contains("policy.lua:") && Contains(cause));
        CHECK(answer.decision.verdict.kind == VerdictKind::proceed);
    }
}

TEST_CASE("several answers merge to the strictest, field by field", "[script]") {
    Folder folder;
    folder.with("a.lua", on_mail("return { tls = 'required', min_tls = '1.3' }, postern.defer('policy: later')"));
    folder.with("b.lua", on_mail("return { tls = 'mutual', min_tls = '1.2', issuer = { 'A', 'B' } }") +
                             on_mail("return { issuer = { 'B', 'C' } }, postern.reject('policy: never')"));
    const auto answer = Asked(folder).mail();
    INFO(answer.error);
    REQUIRE(answer.decision.demand);
    CHECK(answer.decision.demand->mutual);
    CHECK(answer.decision.demand->minimum == TlsVersion::tls13);
    CHECK(answer.decision.demand->issuers == std::vector<std::string>{"B"});
    CHECK(answer.decision.verdict.reply.text == "policy: never");
}

TEST_CASE("a script is asked for its events only", "[script]") {
    Asked asked("postern.on('outbound_requirement', function() return { tls = 'required' } end)");
    CHECK_FALSE(asked.mail().decision.spoke);
    CHECK(asked.ask(Event::outbound_requirement).decision.demand->tls);
    CHECK_FALSE(asked.ask(Event::recipient).decision.spoke);
}
