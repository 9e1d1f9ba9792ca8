// Tests of policy scripts, without daemon and configuration: X_test.lua says in Lua what X.lua beside it is to answer.
// Each case gets a fresh state for the test and a fresh host for the script, the very one that a worker has, with its
// limits. What a test may say is test_library.hpp, how fakes are read fakes.hpp.
#pragma once

#include <cstdint>
#include <script/branches.hpp>
#include <script/fake_lists.hpp>

namespace postern::script {

struct CaseResult {
    std::string name;
    std::uint32_t line = 0;
    std::string failure;              // empty: passed; else file:line: what was wanted and what came
    std::vector<std::string> logged;  // by the script
};

struct TestResult {
    std::string file, script;
    std::vector<CaseResult> cases;
    std::vector<std::string> problems;  // file:line: why it could not be run
    bool measured = false;
    std::vector<Branch> branches;

    bool passed() const;
};

struct TestWishes {
    FakeLists listed;  // where a test says nothing
    bool coverage = false;
};

// The test's own file, by name; the script is found beside it.
TestResult run_policy_test(const std::string& file, const TestWishes& wishes);

}  // namespace postern::script
