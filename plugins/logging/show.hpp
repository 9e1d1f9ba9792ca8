// `postern log show`: one conversation out of the files, the way the white paper's examples look; `log list`: which
// there are.
#pragma once

#include <logging/settings.hpp>

namespace postern::logging {

class LogVerbs final : public AdminVerbs {
public:
    explicit LogVerbs(Host& host) : host_(host) {}
    std::vector<VerbSpec> verbs() const override;
    Pending<VerbResult> run(std::vector<std::string> words) override;

private:
    Host& host_;
};

struct Wanted {
    std::string session;    // empty: the last one
    std::string connector;  // empty: any
    bool receive = true, send = true;
};

// The conversation, or why there is none.
Outcome<std::string> conversation(const std::string& folder, const Wanted& wanted);

}  // namespace postern::logging
