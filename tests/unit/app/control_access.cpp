#include <unistd.h>

#include <app/control_access.hpp>
#include <catch2/catch.hpp>

using namespace postern::app;

TEST_CASE("one group may look, one may change, and nobody else may do anything", "[control]") {
    const ControlGroups groups{100, 200};
    const uid_t stranger = ::geteuid() + 1;
    CHECK(access_for(stranger, {100}, groups) == ControlAccess::look);
    CHECK(access_for(stranger, {7, 200, 100}, groups) == ControlAccess::change);
    CHECK(access_for(stranger, {7}, groups) == ControlAccess::none);
    CHECK(access_for(::geteuid(), {7}, groups) == ControlAccess::change);
    CHECK(access_for(0, {}, groups) == ControlAccess::change);
    // The socket's mode has decided.
    CHECK(access_for(stranger, {7}, {}) == ControlAccess::change);
    CHECK(access_for(stranger, {7}, {std::nullopt, 200}) == ControlAccess::none);
}

TEST_CASE("what changes something, or shows mail, is not looking", "[control]") {
    using Words = std::vector<std::string>;
    for (const auto& words : {Words{"status"}, Words{"queue", "list", "--all"}, Words{"queue", "show", "X"},
                              Words{"trace", "X"}, Words{"crl", "list"}, Words{"plugin", "order"}})
        CHECK(only_looks(words));
    for (const auto& words : {Words{"queue", "remove", "list"}, Words{"queue", "show", "X", "--body"}, Words{"queue"},
                              Words{"crl", "refresh"}, Words{"proxy", "set", "x"}, Words{}})
        CHECK_FALSE(only_looks(words));
}

TEST_CASE("a group that is not there is named with its key", "[control]") {
    const auto groups = control_groups("", "no-such-group-here");
    REQUIRE_FALSE(groups.has_value());
    CHECK(groups.error().text.find("control_change_group no-such-group-here") == 0);
    CHECK_FALSE(control_groups("", "")->any());
}
