// Role LearningJudge: a ChainJudge that may also go and fetch what a chain lacks.
//
// A server that sends its leaf without the intermediate names the place where that lies (authorityInfoAccess, RFC 5280
// 4.2.2.1). Whoever asks decides that it may be fetched: for a server that we connect to, where the partner's block
// says `aia yes`, and for `cert verify --fetch`; never for a peer that connects to us. Since SDK 1.1, beside
// ChainJudge.
#pragma once

#include <postern/trust.hpp>

namespace postern {

class LearningJudge {
public:
    static constexpr std::string_view id = "postern.learning-judge.1";
    virtual ~LearningJudge() = default;
    // As ChainJudge::judge. What was fetched and became part of a valid path serves that scope from then on.
    virtual Pending<Judgement> judge_and_learn(JudgeRequest) = 0;
};

}  // namespace postern
