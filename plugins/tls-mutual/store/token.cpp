#include <gnutls/crypto.h>
#include <gnutls/pkcs11.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <tls-mutual/store/token.hpp>

namespace postern::tls_mutual {
namespace {

constexpr unsigned private_object =
    GNUTLS_PKCS11_OBJ_FLAG_LOGIN | GNUTLS_PKCS11_OBJ_FLAG_MARK_PRIVATE | GNUTLS_PKCS11_OBJ_FLAG_MARK_SENSITIVE;

struct PinFile {
    std::mutex mutex;
    std::string path;
    std::string problem;                         // of the last try, for the message
    std::map<std::string, std::string> refused;  // by token: the digest of the PIN that it did not take
};
PinFile& pin_file() {
    static PinFile one;
    return one;
}

std::string digest_of(std::string_view pin) {
    std::string digest(32, '\0');
    return gnutls_hash_fast(GNUTLS_DIG_SHA256, pin.data(), pin.size(), digest.data()) < 0 ? std::string() : digest;
}

// What the token shall get, or nothing; why then is `from.problem`.
std::optional<Secret> pin_for(PinFile& from, const std::string& token, bool was_wrong) {
    if (from.path.empty()) {
        from.problem = "the token " + token + " wants a PIN: name its file with `token_pin`";
        return std::nullopt;
    }
    auto content = read_guarded(from.path, Holds::key);
    if (!content) {
        from.problem = content.failure.text;
        return std::nullopt;
    }
    auto& octets = content->bytes;
    octets.resize(std::min(content->text().find_first_of("\r\n"), octets.size()));
    const auto digest = digest_of(content->text());
    if (was_wrong) from.refused[token] = digest;
    if (const auto known = from.refused.find(token); known != from.refused.end() && known->second == digest) {
        from.problem = from.path + ": the token " + token + " refuses the PIN in it, which is not tried again";
        return std::nullopt;
    }
    return std::move(*content);
}

// Called by the library where a token wants its PIN.
int give_pin(void*, int, const char*, const char* label, unsigned flags, char* pin, std::size_t room) {
    auto& from = pin_file();
    const std::lock_guard held(from.mutex);
    const auto given = pin_for(from, label, (flags & GNUTLS_PIN_WRONG) != 0);
    if (!given || given->bytes.size() >= room) return GNUTLS_E_PKCS11_PIN_ERROR;
    std::ranges::copy(given->text(), pin);
    pin[given->bytes.size()] = '\0';
    return 0;
}

void reach_tokens() {
    static std::once_flag once;
    std::call_once(once, [] { gnutls_pkcs11_set_pin_function(give_pin, nullptr); });
    auto& from = pin_file();
    const std::lock_guard held(from.mutex);
    from.problem.clear();
}

Failure failed(const std::string& token, const char* what, int status) {
    return {"token", token + ": " + what + ": " + token_problem(status) + "; see p11tool --list-tokens"};
}

std::string percent_encoded(BytesView octets) {
    std::string text;
    for (const auto octet : octets) {
        constexpr char digits[] = "0123456789ABCDEF";
        const char c = static_cast<char>(octet);
        const bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' ||
                           c == '.' || c == '_';
        if (plain) text += c;
        else ((text += '%') += digits[octet >> 4]) += digits[octet & 15];
    }
    return text;
}

// The administrator waits at the terminal: a key in a device may take minutes to make.
constexpr std::chrono::minutes making_time{3};
constexpr std::chrono::seconds removing_time{10};

Outcome<std::string> make_there(const std::string& token, KeyType type) {
    reach_tokens();
    const auto kind = key_kind(type);
    std::array<std::uint8_t, 16> id{};
    if (gnutls_rnd(GNUTLS_RND_NONCE, id.data(), id.size()) < 0) return failed(token, "no randomness", 0);
    const gnutls_datum_t datum{id.data(), static_cast<unsigned>(id.size())};
    const auto uri = token_uri(token);
    const int status =
        gnutls_pkcs11_privkey_generate3(uri.c_str(), kind.algorithm, kind.bits, "Postern", &datum, GNUTLS_X509_FMT_DER,
                                        nullptr, GNUTLS_KEY_DIGITAL_SIGNATURE, private_object);
    if (status < 0) return failed(token, "the token made no key", status);
    return token_part(uri) + ";id=" + percent_encoded(id) + ";type=private";
}

Outcome<Done> remove_there(const std::string& uri) {
    reach_tokens();
    const int status = gnutls_pkcs11_delete_url(uri.c_str(), GNUTLS_PKCS11_OBJ_FLAG_LOGIN);
    if (status < 0) return failed(uri, "the key is still in the token", status);
    auto public_half = uri;
    if (const auto at = public_half.find(";type=private"); at != std::string::npos)
        (void)gnutls_pkcs11_delete_url(public_half.replace(at, 13, ";type=public").c_str(),
                                       GNUTLS_PKCS11_OBJ_FLAG_LOGIN);
    return Done{};
}

}  // namespace

void set_token_pin_file(const std::string& file) {
    auto& to = pin_file();
    const std::lock_guard held(to.mutex);
    to.path = file;
    if (file.empty() || file.find('/') != std::string::npos) return;
    const char* credentials = std::getenv("CREDENTIALS_DIRECTORY");
    to.path = std::string(credentials ? credentials : "/run/credentials/postern.service") + "/" + file;
}

std::string token_problem(int status) {
    auto& from = pin_file();
    const std::lock_guard held(from.mutex);
    return from.problem.empty() ? gnutls_strerror(status) : from.problem;
}

std::string token_part(const std::string& uri) {
    return uri.substr(0, std::min({uri.find(";id="), uri.find(";object="), uri.find(";type="), uri.find('?')}));
}

std::string token_uri(const std::string& typed) {
    if (typed.starts_with("pkcs11:")) return typed;
    const auto* octets = reinterpret_cast<const std::uint8_t*>(typed.data());
    return "pkcs11:token=" + percent_encoded({octets, typed.size()});
}

Outcome<std::string> make_token_key(const std::string& token, KeyType type) {
    return ask_token<std::string>(making_time, token, [token, type] { return make_there(token, type); });
}

PrivateKeyHandle open_token_key(const std::string& uri, int& status) {
    reach_tokens();
    gnutls_privkey_t raw = nullptr;
    status = gnutls_privkey_init(&raw);
    if (status < 0) return {};
    PrivateKeyHandle key(raw);
    status = gnutls_privkey_import_url(raw, uri.c_str(), 0);
    return key;
}

Outcome<Done> remove_token_key(const std::string& uri) {
    return ask_token<Done>(removing_time, uri, [uri] { return remove_there(uri); });
}

}  // namespace postern::tls_mutual
