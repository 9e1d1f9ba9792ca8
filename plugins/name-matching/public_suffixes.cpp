#include <libpsl.h>

#include <name-matching/public_suffixes.hpp>

namespace postern::name_matching {

// psl_free leaves the built-in list alone.
void PublicSuffixes::Free::operator()(psl_ctx_st* list) const { psl_free(list); }

PublicSuffixes::PublicSuffixes() : list_(psl_latest(nullptr)) {
    if (!list_) list_.reset(const_cast<psl_ctx_t*>(psl_builtin()));
}

bool PublicSuffixes::contain(const std::string& domain) const {
    return !list_ || psl_is_public_suffix(list_.get(), domain.c_str()) != 0;
}

}  // namespace postern::name_matching
