// Which domains are public suffixes (publicsuffix.org): the one place that knows libpsl.
#pragma once

#include <memory>
#include <string>

struct psl_ctx_st;

namespace postern::name_matching {

class PublicSuffixes {
public:
    PublicSuffixes();  // the newest list on this machine, else the one built into libpsl
    // `domain`: lower-case A-labels. Without any list every domain counts as one, so that wildcards speak for nobody.
    bool contain(const std::string& domain) const;

private:
    struct Free {
        void operator()(psl_ctx_st*) const;
    };
    std::unique_ptr<psl_ctx_st, Free> list_;
};

}  // namespace postern::name_matching
