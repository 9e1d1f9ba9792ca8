// Whose script runs for whom, and whom its failure defers.
#include "lab.hpp"

using namespace postern;
using namespace postern::script;
using namespace postern::script::test;
using Catch::Matchers::Contains;

TEST_CASE("a partner's script runs for that partner alone", "[script][partners]") {
    Folder folder;
    folder.with("partners/woodgrovebank.com.lua", on_mail("return { tls = 'required' }"));
    Asked asked(folder);
    CHECK(asked.mail("woodgrovebank.com").partner_spoke);
    CHECK(asked.mail("woodgrovebank.com").decision.replaces_floor);
    CHECK_FALSE(asked.mail("fabrikam.com").decision.spoke);
    CHECK_FALSE(asked.mail().decision.spoke);
}

TEST_CASE("a partner's script that fails defers that partner alone", "[script][partners]") {
    Folder folder;
    folder.with("a.lua", on_mail("return { min_tls = '1.3' }"));
    folder.with("partners/woodgrovebank.com.lua", on_mail("error('broken')"));
    Asked asked(folder);
    const auto theirs = asked.mail("woodgrovebank.com");
    CHECK(theirs.partner_failed);
    CHECK_FALSE(theirs.failed);
    CHECK_FALSE(theirs.partner_spoke);
    CHECK_FALSE(theirs.decision.replaces_floor);
    CHECK_THAT(theirs.error, Contains(folder.file("partners/woodgrovebank.com.lua") + ":2: broken"));
    CHECK(theirs.decision.demand->minimum == TlsVersion::tls13);
    const auto others = asked.mail("fabrikam.com");
    CHECK_FALSE(others.failed);
    CHECK_FALSE(others.partner_failed);
}

TEST_CASE("a script for all that fails leaves the others' answers standing", "[script][partners]") {
    Folder folder;
    folder.with("a.lua", on_mail("error('one')")).with("b.lua", on_mail("return postern.reject('policy: no')"));
    folder.with("c.lua", on_mail("error('two')"));
    const auto answer = Asked(folder).mail();
    CHECK(answer.failed);
    CHECK_FALSE(answer.partner_failed);
    CHECK(answer.decision.verdict.kind == VerdictKind::reject);
    CHECK_THAT(answer.error, Contains("a.lua:2: one; ") && Contains("c.lua:2: two"));
}

TEST_CASE("a verdict replaces no floor, and neither does another script's demand", "[script][partners]") {
    Folder folder;
    folder.with("a.lua", on_mail("return { tls = 'required' }"));
    folder.with("partners/woodgrovebank.com.lua", on_mail("return postern.proceed()"));
    const auto answer = Asked(folder).mail("woodgrovebank.com");
    CHECK(answer.partner_spoke);
    CHECK(answer.decision.demand);
    CHECK_FALSE(answer.decision.replaces_floor);
}

TEST_CASE("a partner's answer before its own failure counts for nothing", "[script][partners]") {
    Folder folder;
    folder.with("partners/woodgrovebank.com.lua", on_mail("return { tls = 'required' }") + on_mail("error('late')"));
    const auto answer = Asked(folder).mail("woodgrovebank.com");
    CHECK(answer.partner_failed);
    CHECK_FALSE(answer.partner_spoke);
    CHECK_FALSE(answer.decision.replaces_floor);
}
