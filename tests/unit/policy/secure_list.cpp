#include <catch2/catch.hpp>
#include <policy/secure_list.hpp>

using postern::policy::SecureList;

TEST_CASE("an exact entry lists its domain and nothing below it", "[secure-list]") {
    SecureList list;
    list.add("woodgrovebank.com");
    CHECK(list.entry_for("woodgrovebank.com") == "woodgrovebank.com");
    CHECK(list.entry_for("us.woodgrovebank.com").empty());
    CHECK(list.entry_for("notwoodgrovebank.com").empty());
}

TEST_CASE("a suffix lists every depth below and not the apex", "[secure-list]") {
    SecureList list;
    list.add(".woodgrovebank.com");
    CHECK(list.entry_for("woodgrovebank.com").empty());
    CHECK(list.entry_for("us.woodgrovebank.com") == ".woodgrovebank.com");
    CHECK(list.entry_for("a.us.woodgrovebank.com") == ".woodgrovebank.com");
    CHECK(list.entry_for("evilwoodgrovebank.com").empty());
}

TEST_CASE("the exact entry wins over suffixes, and the longest suffix over shorter ones", "[secure-list]") {
    SecureList list;
    for (auto entry : {".com", ".woodgrovebank.com", "us.woodgrovebank.com"}) list.add(entry);
    CHECK(list.entry_for("us.woodgrovebank.com") == "us.woodgrovebank.com");
    CHECK(list.entry_for("eu.woodgrovebank.com") == ".woodgrovebank.com");
    CHECK(list.entry_for("contoso.com") == ".com");
}

TEST_CASE("an address literal or no domain is never listed", "[secure-list]") {
    SecureList list;
    list.add(".com");
    CHECK(list.entry_for("").empty());
    CHECK(list.entry_for("[192.0.2.1]").empty());
}
