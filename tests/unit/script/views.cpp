#include "lab.hpp"

using namespace postern;
using namespace postern::script;
using namespace postern::script::test;
using Catch::Matchers::Contains;

namespace {

// What a script says of an expression, as text.
std::string seen(const std::string& expression, bool tls = true, bool leaf = true) {
    Asked asked(on_mail("return postern.reject(tostring(" + expression + "))"));
    if (tls) {
        asked.session.facts.emplace();
        asked.session.facts->protocol = "TLS1.3";
        asked.session.facts->cipher = "TLS_AES_256_GCM_SHA384";
    }
    if (tls && leaf) {
        CertificateFacts certificate;
        certificate.subject = "CN=mail1.example.org";
        certificate.issuer = "CN=Example CA";
        certificate.serial = "0A";
        certificate.sha256 = "ab12";
        certificate.dns_names = {"mail1.example.org", "mail2.example.org"};
        asked.session.facts->peer_chain.push_back(certificate);
    }
    const auto answer = asked.mail("example.org");
    INFO(answer.error);
    CHECK_FALSE(answer.failed);
    return answer.decision.verdict.reply.text;
}

std::string cause(const std::string& body) { return Asked(on_mail(body)).mail().error; }

}  // namespace

TEST_CASE("a script sees the session", "[script][views]") {
    CHECK(seen("session.id") == "0123456789ABCDEF");
    CHECK(seen("session.connector") == "Inet");
    CHECK(seen("session.remote_address") == "192.0.2.1");
    CHECK(seen("session.helo") == "mail1.example.org");
    CHECK(seen("session.outbound") == "false");
}

TEST_CASE("a script sees the peer's certificate, nil where there is none", "[script][views]") {
    CHECK(seen("session.tls", false) == "nil");
    CHECK(seen("session.tls.version") == "TLS1.3");
    CHECK(seen("session.tls.cipher") == "TLS_AES_256_GCM_SHA384");
    CHECK(seen("session.tls.subject") == "CN=mail1.example.org");
    CHECK(seen("session.tls.issuer") == "CN=Example CA");
    CHECK(seen("session.tls.serial") == "0A");
    CHECK(seen("session.tls.sha256") == "ab12");
    CHECK(seen("table.concat(session.tls.names, ' ')") == "mail1.example.org mail2.example.org");
    for (const auto* field : {"subject", "issuer", "serial", "sha256", "names"})
        CHECK(seen("session.tls." + std::string(field), true, false) == "nil");
}

TEST_CASE("a script sees the envelope", "[script][views]") {
    CHECK(seen("envelope.sender") == "a@example.org");
    CHECK(seen("envelope.sender_domain") == "example.org");
    CHECK(seen("table.concat(envelope.recipients, ' ')") == "bob@contoso.com eve@contoso.com");
    CHECK(seen("envelope.domain") == "example.org");
    CHECK(seen("envelope.partner") == "example.org");
}

TEST_CASE("an unknown field is an error with a suggestion", "[script][views]") {
    CHECK_THAT(cause("return session.remote_adress"),
               Contains("policy.lua:2: there is no session.remote_adress (did you mean remote_address?)"));
    CHECK_THAT(cause("return envelope.reciepients"), Contains("(did you mean recipients?)"));
    CHECK_THAT(cause("return session[1]"), Contains("session has fields by name only"));
}

TEST_CASE("what a script sees is read-only", "[script][views]") {
    CHECK_THAT(cause("session.helo = 'x'"), Contains("policy.lua:2: session is read-only"));
    CHECK_THAT(cause("envelope.sender = 'x'"), Contains("envelope is read-only"));
    CHECK_THAT(cause("string.find = nil"), Contains("string is read-only"));
    CHECK_THAT(cause("math.huge = 1"), Contains("math is read-only"));
    CHECK_THAT(cause("getmetatable('').__index = nil"), Contains("attempt to index a boolean"));
    CHECK_THAT(cause("setmetatable(string, {})"), Contains("cannot change a protected metatable"));
    CHECK_THAT(cause("setmetatable(_ENV, {})"), Contains("cannot change a protected metatable"));
}

TEST_CASE("a view that is kept is dead after its call", "[script][views]") {
    Asked asked("local kept\n" + on_mail("if kept then return kept.id end\nkept = session.tls or session"));
    CHECK_FALSE(asked.mail().failed);
    CHECK_FALSE(asked.mail().decision.demand);  // the same object shows the question under way, never an old one
    Asked logging("local kept\n" + on_mail("kept = session") +
                  "postern.on('outbound_requirement', function(session) return postern.reject(kept.id) end)");
    CHECK_FALSE(logging.mail().failed);
    CHECK(logging.ask(Event::outbound_requirement).decision.verdict.reply.text == "0123456789ABCDEF");
}

TEST_CASE("globals are frozen once the file is loaded", "[script]") {
    CHECK_THAT(cause("seen = envelope.sender"),
               Contains("policy.lua:2: global 'seen' is read-only once the file is loaded: assign to a local"));
    Asked asked("function helper() return postern.reject('policy: by helper') end\n" + on_mail("return helper()"));
    CHECK(asked.mail().decision.verdict.kind == VerdictKind::reject);
    CHECK_THAT(Asked("mine = 1\n" + on_mail("mine = 2")).mail().error, Contains("'mine' is read-only"));
}

TEST_CASE("scripts do not see each other's globals", "[script]") {
    Folder folder;
    folder.with("a.lua", "secret = 1").with("b.lua", on_mail("return secret"));
    CHECK_THAT(Asked(folder).mail().error, Contains("b.lua:2: there is no global 'secret'"));
}

TEST_CASE("nothing reaches outside", "[script]") {
    for (const auto* name :
         {"io",       "os",     "debug",          "package",   "require",     "load",        "loadstring",
          "loadfile", "dofile", "collectgarbage", "coroutine", "pcall",       "xpcall",      "rawset",
          "rawget",   "_G",     "print",          "utf8",      "string.dump", "string.pack", "table.move"})
        CHECK_THAT(cause("return " + std::string(name) + "\n"), Contains("policy.lua:2: there is no "));
}

TEST_CASE("the lists are looked up, not copied", "[script]") {
    CHECK(seen("postern.listed('receive', 'WoodgroveBank.com')") == "woodgrovebank.com");
    CHECK(seen("postern.listed('send', 'woodgrovebank.com')") == "nil");
    CHECK(seen("postern.listed('send', '')") == "nil");
    CHECK_THAT(cause("return postern.listed('recieve', 'a.example')"), Contains("(did you mean receive?)"));
    CHECK_THAT(cause("return postern.listed('send')"), Contains("string expected"));
}

TEST_CASE("handlers are registered at the top of the file only", "[script]") {
    CHECK_THAT(cause("postern.on('mail', function() end)"), Contains("belongs at the top of the file"));
}
