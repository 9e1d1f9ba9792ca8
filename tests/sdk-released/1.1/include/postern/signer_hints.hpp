// Role SignerHints: where the certificate of somebody who signed a list may be had, when nobody here knows him.
//
// A list may be signed by its CA under another key, or by a CRL issuer, and say where that certificate lies (RFC 5280
// 5.2.7). The RevocationChecker reads the list; whether anything may be fetched is the ChainJudge's to say, as with a
// missing issuer (learning_judge.hpp). Since SDK 1.1, of the plugin that is the RevocationChecker; inline.
#pragma once

#include <postern/types.hpp>
#include <string>
#include <vector>

namespace postern {

class SignerHints {
public:
    static constexpr std::string_view id = "postern.signer-hints.1";
    virtual ~SignerHints() = default;
    // `path`: DER, leaf first, anchor last, as it was checked. URLs out of lists for it that are believed in nothing
    // yet.
    virtual std::vector<std::string> signer_urls(const std::vector<Bytes>& path) = 0;
};

}  // namespace postern
