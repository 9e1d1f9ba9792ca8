// What `cert verify` prints of a judgement, for people and for programs. Pure.
#pragma once

#include <optional>
#include <postern/host.hpp>
#include <postern/trust.hpp>

namespace postern::tls_mutual {

struct Report {
    Judgement judgement;
    std::optional<NameEvidence> name;  // where --domain was given
    bool purpose_stated = true, revocation_asked = true;
    bool legacy = false;
};

// Exit status 0 valid, 1 invalid, 75 cannot be decided now.
VerbResult as_text(const Report& report);
VerbResult as_json(const Report& report);

}  // namespace postern::tls_mutual
