#include <chrono>
#include <script/pattern_cost.hpp>

#include "lab.hpp"

using namespace postern;
using namespace postern::script;
using namespace postern::script::test;
using Catch::Matchers::Contains;

TEST_CASE("what an address or a name needs is allowed", "[script][patterns]") {
    const std::string at_most(320, 'a');
    for (const auto* pattern : {"^(.-)@(.-)$", "^[^@]+@(.+)$", "%.example%.org$", "^mail%d+%.", "(%w+)%.(%w+)$",
                                "^([%w%-]+)%.woodgrovebank%.com$", "^%s*(.-)%s*$"}) {
        INFO(pattern);
        const auto answer = Asked(on_mail("return ('" + at_most + "'):match('" + pattern + "') and nil")).mail();
        INFO(answer.error);
        CHECK_FALSE(answer.failed);
    }
}

TEST_CASE("a pattern that could take too long is refused before it runs", "[script][patterns]") {
    std::string nested;
    for (int i = 0; i < 12; ++i) nested += ".-";
    std::string optional;
    for (int i = 0; i < 40; ++i) optional += "a?";
    for (const auto& pattern : {nested + "b", optional + "b", std::string("a*a*a*b"), std::string("^a*a*a*a*b")})
        for (const auto* call : {"s:find(p)", "s:match(p)", "s:gsub(p, '')", "s:gmatch(p)()"}) {
            const auto answer =
                Asked(on_mail("local s, p = ('a'):rep(1000), '" + pattern + "'\nlocal _ = " + call)).mail();
            INFO(pattern << " " << call);
            CHECK_THAT(answer.error, Contains("policy.lua:3: this pattern could take too long on 1000 octets"));
        }
}

TEST_CASE("in gmatch a ^ does not anchor", "[script][patterns]") {
    CHECK(pattern_steps("^a*b", 1000, true) < pattern_steps("^a*b", 1000, false));
}

TEST_CASE("the worst patterns that are allowed end soon", "[script][patterns]") {
    // For each shape the longest subject that passes, with octets that make the matcher try everything.
    const std::string shapes[] = {"a-b",
                                  "a*b",
                                  "a-a-b",
                                  "a*a*b",
                                  "^a-a-a-b",
                                  "a-a-a-b",
                                  "a-a-a-a-b",
                                  "a?a?a?a?a?a?a?a?b",
                                  "a-%b()b",
                                  "(a-)%1b",
                                  "(a*)(a*)%1b",
                                  "[bcdefghijklmnopqrstuvwxyz]*a-b",
                                  "[^bcdefghijklmnopqrstuvwxyz]-[^bcdefghijklmnopqrstuvwxyz]-b",
                                  "a-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaab",
                                  "%f[^a]a-a-b",
                                  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab"};
    for (const auto& shape : shapes) {
        std::size_t longest = 1;
        while (longest < (1u << 20) && pattern_steps(shape, longest + longest / 8 + 1, true) <= most_steps)
            longest += longest / 8 + 1;
        for (const auto* filler : {"a", "("}) {
            Asked asked(on_mail("local s = ('" + std::string(filler) + "'):rep(" +
                                std::to_string(std::min<std::size_t>(longest, 1 << 20)) + ")\nlocal _ = s:find('" +
                                shape + "')"));
            const auto begun = std::chrono::steady_clock::now();
            const auto answer = asked.mail();
            const auto took = std::chrono::steady_clock::now() - begun;
            const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(took).count();
            INFO(shape << " on " << longest << " of " << filler << ": " << ms << " ms; " << answer.error);
            if (std::getenv("POSTERN_SHOW_TIMES"))
                std::printf("%4ld ms  %7zu  %s\n", static_cast<long>(ms), longest, shape.c_str());
            // Lua itself is not instrumented: this is what it takes, plus what a busy machine adds.
            CHECK(ms < 1000);
        }
    }
}
