#include <algorithm>
#include <array>
#include <tls-mutual/store/token_calls.hpp>
#include <tls-mutual/store/token_key.hpp>

namespace postern::tls_mutual {
namespace {

// A handshake has half a minute, and the peer as little patience as we have.
constexpr std::chrono::seconds signing_time{5}, opening_time{5};

// What several threads may hold while a call hangs.
struct Opened {
    PrivateKeyHandle key;
    std::string token;
    gnutls_pk_algorithm_t algorithm = GNUTLS_PK_UNKNOWN;
    unsigned bits = 0;
    bool pss = false;  // some tokens sign the old way alone (RFC 8017 8.2)
};
using Shared = std::shared_ptr<Opened>;

struct Signature {
    int status = GNUTLS_E_INTERNAL_ERROR;
    Bytes octets;
};

using SignCall = int (*)(gnutls_privkey_t, gnutls_sign_algorithm_t, unsigned, const gnutls_datum_t*, gnutls_datum_t*);

std::optional<Signature> sign(const Shared& opened, SignCall call, gnutls_sign_algorithm_t algorithm, unsigned flags,
                              BytesView what) {
    std::function<Signature()> work = [opened, call, algorithm, flags, octets = Bytes(what.begin(), what.end())] {
        const auto datum = borrowed(octets);
        OwnedDatum made;
        Signature signature;
        signature.status = call(opened->key.get(), algorithm, flags, &datum, &made.datum);
        const auto view = made.view();
        signature.octets.assign(view.begin(), view.end());
        return signature;
    };
    return TokenCalls::of_process().within(signing_time, opened->token, std::move(work));
}

// ---- as GnuTLS asks it ----------------------------------------------------------------------------------------------

Shared& opened_of(void* userdata) { return *static_cast<Shared*>(userdata); }

int hand_out(void* userdata, SignCall call, gnutls_sign_algorithm_t algorithm, unsigned flags,
             const gnutls_datum_t* what, gnutls_datum_t* signature) {
    const auto made = sign(opened_of(userdata), call, algorithm, flags, {what->data, what->size});
    if (!made) return GNUTLS_E_TIMEDOUT;
    if (made->status < 0) return made->status;
    signature->size = static_cast<unsigned>(made->octets.size());
    signature->data = static_cast<unsigned char*>(gnutls_malloc(made->octets.size()));
    if (!signature->data) return GNUTLS_E_MEMORY_ERROR;
    std::ranges::copy(made->octets, signature->data);
    return 0;
}

int sign_data(gnutls_privkey_t, gnutls_sign_algorithm_t algorithm, void* userdata, unsigned flags,
              const gnutls_datum_t* data, gnutls_datum_t* signature) {
    return hand_out(userdata, gnutls_privkey_sign_data2, algorithm, flags, data, signature);
}

int sign_hash(gnutls_privkey_t, gnutls_sign_algorithm_t algorithm, void* userdata, unsigned flags,
              const gnutls_datum_t* hash, gnutls_datum_t* signature) {
    return hand_out(userdata, gnutls_privkey_sign_hash2, algorithm, flags, hash, signature);
}

int tell_about(gnutls_privkey_t, unsigned flags, void* userdata) {
    const auto& opened = *opened_of(userdata);
    if ((flags & GNUTLS_PRIVKEY_INFO_PK_ALGO) != 0) return opened.algorithm;
    if ((flags & GNUTLS_PRIVKEY_INFO_PK_ALGO_BITS) != 0) return static_cast<int>(opened.bits);
    if ((flags & GNUTLS_PRIVKEY_INFO_HAVE_SIGN_ALGO) == 0) return -1;
    const auto algorithm = static_cast<gnutls_sign_algorithm_t>(GNUTLS_FLAGS_TO_SIGN_ALGO(flags));
    const bool pss = algorithm == GNUTLS_SIGN_RSA_PSS_RSAE_SHA256 || algorithm == GNUTLS_SIGN_RSA_PSS_RSAE_SHA384 ||
                     algorithm == GNUTLS_SIGN_RSA_PSS_RSAE_SHA512;
    return gnutls_sign_supports_pk_algorithm(algorithm, opened.algorithm) != 0 && (!pss || opened.pss) ? 1 : 0;
}

// Closing asks the token too, and whoever lets go of a key waits for nobody. Where the token hangs its key stays open
// until it is back.
void close_key(gnutls_privkey_t, void* userdata) {
    std::unique_ptr<Shared> held(&opened_of(userdata));
    auto& calls = TokenCalls::of_process();
    if (calls.hangs((*held)->token)) return calls.abandon((*held)->token, *held);
    calls.apart([last = std::move(*held)]() mutable { last.reset(); });
}

// ---- opening --------------------------------------------------------------------------------------------------------

Failure unanswered(const std::string& uri) {
    return {"token", uri + ": its token does not answer within " + std::to_string(opening_time.count()) +
                         " s; see p11tool --list-tokens. It is asked again when it is back"};
}

Failure unusable(const std::string& uri, const std::string& why) {
    return {"token", uri + ": the token's key cannot be used: " + why + "; see p11tool --list-tokens"};
}

bool verifies(BytesView certificate, gnutls_sign_algorithm_t algorithm, BytesView data, const Bytes& signature) {
    gnutls_pcert_st one{};
    const auto der = borrowed(certificate);
    if (gnutls_pcert_import_x509_raw(&one, &der, GNUTLS_X509_FMT_DER, 0) < 0) return false;
    const auto text = borrowed(data), signed_text = borrowed(signature);
    const int status = gnutls_pubkey_verify_data2(one.pubkey, algorithm, 0, &text, &signed_text);
    gnutls_pcert_deinit(&one);
    return status >= 0;
}

gnutls_sign_algorithm_t plain_algorithm(const Opened& opened) {
    return gnutls_pk_to_sign(opened.algorithm, opened.bits > 256 && opened.algorithm == GNUTLS_PK_ECDSA
                                                   ? GNUTLS_DIG_SHA384
                                                   : GNUTLS_DIG_SHA256);
}

std::optional<Failure> prove(const std::string& uri, const Shared& opened, BytesView certificate) {
    constexpr std::array<std::uint8_t, 8> text{'p', 'o', 's', 't', 'e', 'r', 'n', '\n'};
    const auto algorithm = plain_algorithm(*opened);
    const auto made = sign(opened, gnutls_privkey_sign_data2, algorithm, 0, text);
    if (!made) return unanswered(uri);
    if (made->status < 0) return unusable(uri, token_problem(made->status));
    if (!verifies(certificate, algorithm, text, made->octets))
        return Failure{"token", uri + ": is not the key of the certificate; import the answer where it was requested"};
    if (opened->algorithm != GNUTLS_PK_RSA) return std::nullopt;
    constexpr auto newer = GNUTLS_SIGN_RSA_PSS_RSAE_SHA256;
    const auto padded = sign(opened, gnutls_privkey_sign_data2, newer, 0, text);
    if (!padded) return unanswered(uri);
    opened->pss = padded->status >= 0 && verifies(certificate, newer, text, padded->octets);
    return std::nullopt;
}

struct Opening {
    int status = 0;
    Shared opened;
};

Opening open(const std::string& uri) {
    Opening result{0, std::make_shared<Opened>()};
    auto& opened = *result.opened;
    opened.token = token_part(uri);
    opened.key = open_token_key(uri, result.status);
    if (result.status < 0) return result;
    const int algorithm = gnutls_privkey_get_pk_algorithm(opened.key.get(), &opened.bits);
    if (algorithm < 0) result.status = algorithm;
    else opened.algorithm = static_cast<gnutls_pk_algorithm_t>(algorithm);
    return result;
}

}  // namespace

Outcome<PrivateKeyHandle> open_signing_key(const std::string& uri, BytesView certificate) {
    std::function<Opening()> work = [uri] { return open(uri); };
    auto opening = TokenCalls::of_process().within(opening_time, token_part(uri), std::move(work));
    if (!opening) return unanswered(uri);
    if (opening->status < 0) return unusable(uri, token_problem(opening->status));
    auto userdata = std::make_unique<Shared>(std::move(opening->opened));
    if (auto failure = prove(uri, *userdata, certificate)) {
        close_key(nullptr, userdata.release());
        return *failure;
    }
    gnutls_privkey_t raw = nullptr;
    int status = gnutls_privkey_init(&raw);
    PrivateKeyHandle key(raw);
    if (status >= 0)
        status =
            gnutls_privkey_import_ext4(raw, userdata.get(), sign_data, sign_hash, nullptr, close_key, tell_about, 0);
    if (status < 0) {
        close_key(nullptr, userdata.release());
        return unusable(uri, gnutls_strerror(status));
    }
    (void)userdata.release();  // close_key's
    return key;
}

}  // namespace postern::tls_mutual
