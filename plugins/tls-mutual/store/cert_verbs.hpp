// The commands that keep our certificates, from one table: words, what they take, who runs them.
//
// What prompts or reads the administrator's files runs where it was typed; what tells of the daemon's choice runs in
// the daemon where there is one. Start at the table in cert_verbs.cpp.
#pragma once

#include <functional>
#include <tls-mutual/store/command.hpp>

namespace postern::tls_mutual {

class CertVerbs final : public AdminVerbs {
public:
    // `folder`: where the store is, asked at each command. `take_up`: the daemon looks at the store anew.
    struct Parts {
        Host& host;
        ChainJudge& judge;
        Validations& validations;
        std::function<std::string()> folder;
        std::function<VerbResult()> take_up;
    };
    explicit CertVerbs(Parts parts) : parts_(std::move(parts)) {}
    std::vector<VerbSpec> verbs() const override;
    Pending<VerbResult> run(std::vector<std::string> words) override;

private:
    Pending<VerbResult> take_up() const;
    VerbResult run_row(std::size_t number, const std::vector<std::string>& words);
    Parts parts_;
};

}  // namespace postern::tls_mutual
