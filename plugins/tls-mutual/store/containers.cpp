#include <algorithm>
#include <cstring>
#include <tls-mutual/facts.hpp>
#include <tls-mutual/identity.hpp>
#include <tls-mutual/store/containers.hpp>
#include <x509/pem.hpp>

namespace postern::tls_mutual {
namespace {

Failure wrong(const std::string& file, const std::string& what) { return {"file", file + ": " + what}; }

constexpr std::string_view unreadable =
    "is neither a certificate (PEM or DER), nor PKCS#7, nor PKCS#12, or it is cut short; ask for it again";

bool holds(BytesView octets, std::string_view text) {
    return std::search(octets.begin(), octets.end(), text.begin(), text.end()) != octets.end();
}

Bytes to_der(gnutls_x509_crt_t certificate) {
    OwnedDatum der;
    if (gnutls_x509_crt_export2(certificate, GNUTLS_X509_FMT_DER, &der.datum) < 0) return {};
    const auto view = der.view();
    return {view.begin(), view.end()};
}

// GnuTLS' lists are arrays of handles that we come to own.
void take_over(gnutls_x509_crt_t* list, unsigned count, std::vector<Bytes>& into) {
    for (unsigned at = 0; at < count; ++at) {
        const CertificateHandle one(list[at]);
        if (auto der = to_der(one.get()); !der.empty()) into.push_back(std::move(der));
    }
    gnutls_free(list);
}

// ---- PKCS#12 --------------------------------------------------------------------------------------------------------

Pkcs12Handle open_pkcs12(BytesView octets) {
    gnutls_pkcs12_t raw = nullptr;
    if (gnutls_pkcs12_init(&raw) < 0) return {};
    Pkcs12Handle file(raw);
    const auto datum = borrowed(octets);
    if (gnutls_pkcs12_import(raw, &datum, GNUTLS_X509_FMT_DER, 0) < 0) return {};
    return file;
}

// The MAC tells whether the password is right; a file without a password has "" or none at all.
Outcome<Secret> right_password(gnutls_pkcs12_t file, const std::string& name,
                               const std::function<Outcome<Secret>()>& ask) {
    Secret secret;
    secret.bytes.push_back(0);
    if (gnutls_pkcs12_verify_mac(file, "") >= 0) return secret;
    auto given = ask();
    if (!given) return given.failure;
    secret.bytes.clear();
    secret.bytes.reserve(given->bytes.size() + 1);
    secret.bytes.assign(given->bytes.begin(), given->bytes.end());
    secret.bytes.push_back(0);
    const int status = gnutls_pkcs12_verify_mac(file, reinterpret_cast<const char*>(secret.bytes.data()));
    if (status == GNUTLS_E_MAC_VERIFY_FAILED) return wrong(name, "the password is wrong; nothing was changed");
    if (status < 0)
        return wrong(name, std::string("cannot be opened (") + gnutls_strerror(status) + "); export it again");
    return secret;
}

std::string friendly_name(gnutls_pkcs12_t file, const char* password) {
    for (int number = 0; number < 16; ++number) {
        gnutls_pkcs12_bag_t raw = nullptr;
        if (gnutls_pkcs12_bag_init(&raw) < 0) break;
        const Pkcs12BagHandle bag(raw);
        if (gnutls_pkcs12_get_bag(file, number, raw) < 0) break;
        if (gnutls_pkcs12_bag_get_type(raw, 0) == GNUTLS_BAG_ENCRYPTED) (void)gnutls_pkcs12_bag_decrypt(raw, password);
        for (unsigned at = 0; at < static_cast<unsigned>(std::max(0, gnutls_pkcs12_bag_get_count(raw))); ++at) {
            char* name = nullptr;
            if (gnutls_pkcs12_bag_get_friendly_name(raw, at, &name) >= 0 && name) return name;
        }
    }
    return {};
}

Outcome<Contents> read_pkcs12(gnutls_pkcs12_t file, const std::string& name,
                              const std::function<Outcome<Secret>()>& ask) {
    const auto secret = right_password(file, name, ask);
    if (!secret) return secret.failure;
    const auto* password = reinterpret_cast<const char*>(secret->bytes.data());
    gnutls_x509_privkey_t key = nullptr;
    gnutls_x509_crt_t *chain = nullptr, *more = nullptr;
    unsigned chain_count = 0, more_count = 0;
    const int status = gnutls_pkcs12_simple_parse(file, password, &key, &chain, &chain_count, &more, &more_count,
                                                  nullptr, GNUTLS_PKCS12_SP_INCLUDE_SELF_SIGNED);
    if (status < 0)
        return wrong(name, std::string("cannot be unpacked (") + gnutls_strerror(status) + "); export it again");
    Contents contents;
    take_over(chain, chain_count, contents.certificates);
    take_over(more, more_count, contents.certificates);
    contents.friendly_name = friendly_name(file, password);
    if (!key) return contents;
    gnutls_privkey_t raw = nullptr;
    if (gnutls_privkey_init(&raw) < 0) return wrong(name, "out of memory");
    contents.key.reset(raw);
    if (gnutls_privkey_import_x509(raw, key, GNUTLS_PRIVKEY_IMPORT_AUTO_RELEASE) < 0)
        return wrong(name, "its private key cannot be used");
    return contents;
}

// A PKCS#12 file under construction; after the first failing call the others do nothing.
class Packing {
public:
    Packing(const Secret& password, Encryption encryption)
        : cipher_(encryption == Encryption::legacy ? GNUTLS_PKCS_PKCS12_3DES : GNUTLS_PKCS_PBES2_AES_256) {
        password_.bytes.reserve(password.bytes.size() + 1);
        password_.bytes.assign(password.bytes.begin(), password.bytes.end());
        password_.bytes.push_back(0);
    }

    void open(gnutls_privkey_t key) {
        gnutls_pkcs12_t file = nullptr;
        gnutls_x509_privkey_t soft = nullptr;
        step([&] { return gnutls_pkcs12_init(&file); });
        file_.reset(file);
        step([&] { return gnutls_privkey_export_x509(key, &soft); });
        key_.reset(soft);
        id_.resize(20);
        auto size = id_.size();
        step([&] { return gnutls_x509_privkey_get_key_id(soft, 0, id_.data(), &size); });
    }

    void certificates(const std::vector<Bytes>& chain, const std::string& name) {
        const auto bag = new_bag();
        for (const auto& der : chain) {
            const auto datum = borrowed(der);
            step([&] { return gnutls_pkcs12_bag_set_data(bag.get(), GNUTLS_BAG_CERTIFICATE, &datum); });
        }
        tie(bag.get(), name);  // the leaf alone belongs to the key
        step([&] { return gnutls_pkcs12_bag_encrypt(bag.get(), password(), cipher_); });
        step([&] { return gnutls_pkcs12_set_bag(file_.get(), bag.get()); });
    }

    void private_key(const std::string& name) {
        const auto bag = new_bag();
        OwnedDatum packed;
        step([&] {
            return gnutls_x509_privkey_export2_pkcs8(key_.get(), GNUTLS_X509_FMT_DER, password(), cipher_,
                                                     &packed.datum);
        });
        step([&] { return gnutls_pkcs12_bag_set_data(bag.get(), GNUTLS_BAG_PKCS8_ENCRYPTED_KEY, &packed.datum); });
        tie(bag.get(), name);
        step([&] { return gnutls_pkcs12_set_bag(file_.get(), bag.get()); });
    }

    Outcome<Secret> finish(gnutls_mac_algorithm_t digest) {
        OwnedDatum der;
        step([&] { return gnutls_pkcs12_generate_mac2(file_.get(), digest, password()); });
        step([&] { return gnutls_pkcs12_export2(file_.get(), GNUTLS_X509_FMT_DER, &der.datum); });
        if (status_ < 0)
            return Failure{"cannot-make", std::string("the PKCS#12 file cannot be made: ") + gnutls_strerror(status_)};
        Secret result;
        const auto view = der.view();
        result.bytes.assign(view.begin(), view.end());
        return result;
    }

private:
    template <class Call>
    void step(Call call) {
        if (status_ >= 0) status_ = call();
    }
    const char* password() const { return reinterpret_cast<const char*>(password_.bytes.data()); }
    Pkcs12BagHandle new_bag() {
        gnutls_pkcs12_bag_t raw = nullptr;
        step([&] { return gnutls_pkcs12_bag_init(&raw); });
        return Pkcs12BagHandle(raw);
    }
    void tie(gnutls_pkcs12_bag_t bag, const std::string& name) {
        const auto id = borrowed(id_);
        step([&] { return gnutls_pkcs12_bag_set_key_id(bag, 0, &id); });
        if (!name.empty()) step([&] { return gnutls_pkcs12_bag_set_friendly_name(bag, 0, name.c_str()); });
    }

    unsigned cipher_;
    Secret password_;  // with its NUL
    Pkcs12Handle file_;
    SoftKeyHandle key_;
    Bytes id_;
    int status_ = 0;
};

// ---- PKCS#7, PEM, DER -----------------------------------------------------------------------------------------------

std::optional<Contents> read_pkcs7(BytesView octets) {
    gnutls_pkcs7_t raw = nullptr;
    if (gnutls_pkcs7_init(&raw) < 0) return std::nullopt;
    const Pkcs7Handle file(raw);
    const auto datum = borrowed(octets);
    const auto form = holds(octets, "-----BEGIN PKCS7-----") ? GNUTLS_X509_FMT_PEM : GNUTLS_X509_FMT_DER;
    if (gnutls_pkcs7_import(raw, &datum, form) < 0) return std::nullopt;
    Contents contents;
    for (int at = 0; at < 64 && at < gnutls_pkcs7_get_crt_count(raw); ++at) {
        OwnedDatum der;
        if (gnutls_pkcs7_get_crt_raw2(raw, static_cast<unsigned>(at), &der.datum) < 0) return std::nullopt;
        const auto view = der.view();
        contents.certificates.emplace_back(view.begin(), view.end());
    }
    return contents;
}

Outcome<Contents> read_pem(BytesView octets, const std::string& name) {
    Contents contents;
    for (const auto* label : {"CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE"}) {
        auto blocks = x509::read_blocks(octets, label);
        if (!blocks) return wrong(name, blocks.failure.text + "; it may be cut short: ask for it again");
        for (auto& der : *blocks) contents.certificates.push_back(std::move(der));
    }
    if (!holds(octets, "PRIVATE KEY-----")) return contents;
    int status = 0;
    contents.key = import_key(octets, status);
    if (status < 0)
        return wrong(name, std::string("its private key cannot be read (") + gnutls_strerror(status) +
                               "); an encrypted key travels in a PKCS#12 file");
    return contents;
}

}  // namespace

Outcome<Contents> read_contents(BytesView octets, const std::string& file,
                                const std::function<Outcome<Secret>()>& ask) {
    if (holds(octets, "-----BEGIN CERTIFICATE REQUEST") || holds(octets, "-----BEGIN NEW CERTIFICATE REQUEST"))
        return wrong(file, "is a request, not its answer; give the certificate that the CA made of it");
    if (holds(octets, "-----BEGIN PKCS7-----")) {
        auto pkcs7 = read_pkcs7(octets);
        if (!pkcs7) return wrong(file, std::string(unreadable));
        return std::move(*pkcs7);
    }
    if (holds(octets, "-----BEGIN ")) return read_pem(octets, file);
    if (const auto pkcs12 = open_pkcs12(octets)) return read_pkcs12(pkcs12.get(), file, ask);
    if (auto pkcs7 = read_pkcs7(octets)) return std::move(*pkcs7);
    if (!read_facts(octets)) return wrong(file, std::string(unreadable));
    Contents contents;
    contents.certificates.emplace_back(octets.begin(), octets.end());
    return contents;
}

Outcome<Secret> make_pkcs12(const std::vector<Bytes>& chain, gnutls_privkey_t key, const std::string& name,
                            const Secret& password, Encryption encryption) {
    Packing packing(password, encryption);
    packing.open(key);
    packing.certificates(chain, name);
    packing.private_key(name);
    return packing.finish(encryption == Encryption::legacy ? GNUTLS_MAC_SHA1 : GNUTLS_MAC_SHA256);
}

}  // namespace postern::tls_mutual
