#include <script/script_set.hpp>

namespace postern::script {

// Until the Lua host is there, a configured scripts folder is refused whole: a policy that is not run must not look as
// if it were (docs/decisions/0001-scripts-refused-until-run.md).
std::shared_ptr<const ScriptSet> ScriptSet::load(const std::string& folder,
                                                 std::vector<config::ConfigProblem>& problems) {
    problems.push_back({folder, 0, "scripts.folder", "this version runs no Lua scripts; take scripts { } out", false});
    return nullptr;
}

struct ScriptHost::State {};
ScriptHost::ScriptHost(std::shared_ptr<const ScriptSet>, ScriptHostParts, Limits) {}
ScriptHost::~ScriptHost() = default;

ScriptHost::Answer ScriptHost::decide(const Question&) {
    Answer answer;
    answer.failed = true;
    answer.error = "this version runs no Lua scripts";
    return answer;
}

}  // namespace postern::script
