// LDAP URLs: as CAs write them, and as somebody would who wants something else than a list.
#include <catch2/catch.hpp>
#include <crl/ldap_url.hpp>

using namespace postern;
using namespace postern::crl;

TEST_CASE("the LDAP URLs that CAs write are read", "[crl]") {
    const auto url = LdapUrl::parse(
        "ldap:///"
        "CN=Contoso%20CA,CN=ca1,CN=CDP,CN=Public%20Key%20Services,CN=Services,CN=Configuration,DC=contoso,DC=com"
        "?certificateRevocationList?base?objectClass=cRLDistributionPoint");
    REQUIRE(url);
    CHECK(url->server.host.empty());
    CHECK(url->dn ==
          "CN=Contoso CA,CN=ca1,CN=CDP,CN=Public Key Services,CN=Services,CN=Configuration,DC=contoso,DC=com");
    CHECK(url->attribute == "certificateRevocationList");
    CHECK(url->filter == "(objectClass=cRLDistributionPoint)");

    const auto named = LdapUrl::parse("LDAPS://Ldap.Example.COM./cn=CA,c=US?certificateRevocationList;binary");
    REQUIRE(named);
    CHECK(named->server.tls);
    CHECK(named->server.host == "ldap.example.com");
    CHECK(named->server.port == 636);
    CHECK(named->filter == "(objectClass=*)");
    CHECK(LdapUrl::parse("ldap://[2001:db8::1]:3890/cn=CA?deltaRevocationList;binary?"
                         "?(objectClass=*)")
              ->server.port == 3890);
    CHECK(
        LdapUrl::parse("ldap://a.example/cn=%c3%a9?authorityRevocationList?BASE?(OBJECTCLASS=top)?bindname=cn=x")->dn ==
        "cn=\xc3\xa9");
}

TEST_CASE("an LDAP URL that asks for more than a list is refused", "[crl]") {
    for (const std::string text : {"",
                                   "ldap:",
                                   "ldap://",
                                   "ldap:///",
                                   "ldap:///cn=a",
                                   "ldap:///cn=a?",
                                   "ldap:///?certificateRevocationList",
                                   "ldap://a.example?certificateRevocationList",
                                   "ldapi:///cn=a?certificateRevocationList",
                                   "cldap://a.example/cn=a?certificateRevocationList",
                                   "http://a.example/cn=a?certificateRevocationList",
                                   "ldap://user@a.example/cn=a?certificateRevocationList",
                                   "ldap://a.example:0/cn=a?certificateRevocationList",
                                   "ldap://a.example:65536/cn=a?certificateRevocationList",
                                   "ldap://a.example:/cn=a?certificateRevocationList",
                                   "ldap://a b/cn=a?certificateRevocationList",
                                   "ldap://a%2eb/cn=a?certificateRevocationList",
                                   "ldap://::1/cn=a?certificateRevocationList",
                                   "ldap:///cn=a?userPassword",
                                   "ldap:///cn=a?certificateRevocationList,userPassword",
                                   "ldap:///cn=a?certificateRevocationList;lang-en",
                                   "ldap:///cn=a?*",
                                   "ldap:///cn=a?certificateRevocationList?sub",
                                   "ldap:///cn=a?certificateRevocationList?one",
                                   "ldap:///cn=a?certificateRevocationList?base?(cn=*)",
                                   "ldap:///cn=a?certificateRevocationList?base?(|(objectClass=a)(cn=b))",
                                   "ldap:///cn=a?certificateRevocationList?base?(objectClass=a)(cn=b)",
                                   "ldap:///cn=a?certificateRevocationList?base?objectClass=a%2a",
                                   "ldap:///cn=a?certificateRevocationList?base?"
                                   "?!bindname=cn=x",
                                   "ldap:///cn=a?certificateRevocationList?base??a=b,!x",
                                   "ldap:///cn=a?certificateRevocationList?base??a?b",
                                   "ldap:///cn=a?certificateRevocationList#x",
                                   "ldap:///cn=%00a?certificateRevocationList",
                                   "ldap:///cn=%zz?certificateRevocationList",
                                   "ldap:///cn=%4?certificateRevocationList"}) {
        CAPTURE(text);
        const auto url = LdapUrl::parse(text);
        CHECK_FALSE(url);
        CHECK(url.failure.token == "crl-unreachable");
    }
    CHECK_FALSE(LdapUrl::parse("ldap:///cn=" + std::string(3000, 'a') + "?certificateRevocationList"));
}

TEST_CASE("directories of the settings are named with or without scheme and port", "[crl]") {
    CHECK(LdapServer::parse("dc1.contoso.com")->port == 389);
    CHECK(LdapServer::parse("ldaps://dc1.contoso.com")->port == 636);
    CHECK(LdapServer::parse("ldap://dc1.contoso.com:3268/")->port == 3268);
    CHECK(LdapServer::parse("[::1]:389")->host == "::1");
    for (const auto* text : {"", "ldap://", "http://dc1", "dc1:", "dc1:x", "dc1:70000", "dc1/x", "u@dc1", ":389"})
        CHECK_FALSE(LdapServer::parse(text));
}
