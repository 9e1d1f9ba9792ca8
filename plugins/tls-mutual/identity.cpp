#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <tls-mutual/facts.hpp>
#include <tls-mutual/identity.hpp>

namespace postern::tls_mutual {
namespace {

constexpr std::size_t most_file_octets = 1u << 20;
constexpr unsigned most_certificates = 16;

Failure fault(const std::string& file, const std::string& what) { return {"no-own-certificate", file + ": " + what}; }

// File contents that may be a key: wiped when done.
struct Secret {
    Bytes bytes;
    Secret() = default;
    Secret(Secret&&) = default;
    Secret(const Secret&) = delete;
    Secret& operator=(const Secret&) = delete;
    Secret& operator=(Secret&&) = delete;
    ~Secret() {
        if (!bytes.empty()) gnutls_memset(bytes.data(), 0, bytes.size());
    }
};

struct Descriptor {
    int number;
    explicit Descriptor(const std::string& path)
        : number(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)) {}
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    ~Descriptor() {
        if (number >= 0) ::close(number);
    }
};

// Mode and kind are asked of the opened file: its name may mean another one a moment later.
std::optional<Failure> check_kind(const Descriptor& file, const std::string& path, bool secret) {
    struct stat status {};
    if (::fstat(file.number, &status) != 0) return fault(path, std::strerror(errno));
    if (!S_ISREG(status.st_mode)) return fault(path, "is not a regular file; name a PEM file");
    if (secret && (status.st_mode & 007) != 0)
        return fault(path, "the private key is open to every user of this machine; run `chmod o= " + path + "`");
    if (status.st_size == 0) return fault(path, "is empty; put the PEM text into it");
    if (static_cast<std::size_t>(status.st_size) > most_file_octets)
        return fault(path, "is larger than 1 MiB; name the PEM file of this certificate alone");
    return std::nullopt;
}

Outcome<Secret> read_file(const std::string& path, bool secret) {
    const Descriptor file(path);
    if (file.number < 0)
        return fault(path, std::string(std::strerror(errno)) + "; check the path and that Postern's user may read it");
    if (auto bad = check_kind(file, path, secret)) return *bad;
    Secret content;
    content.bytes.reserve(most_file_octets + 1);  // never moved by growth, which would leave copies of the key behind
    std::array<std::uint8_t, 4096> block;
    for (;;) {
        const auto count = ::read(file.number, block.data(), block.size());
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return fault(path, std::strerror(errno));
        if (count == 0) break;
        if (content.bytes.size() + static_cast<std::size_t>(count) > most_file_octets)
            return fault(path, "grew beyond 1 MiB while it was read; try again");
        content.bytes.insert(content.bytes.end(), block.begin(), block.begin() + count);
    }
    gnutls_memset(block.data(), 0, block.size());
    return content;
}

std::string key_id(gnutls_pubkey_t key) {
    std::array<unsigned char, 32> id{};
    auto size = id.size();
    if (gnutls_pubkey_get_key_id(key, GNUTLS_KEYID_USE_SHA256, id.data(), &size) != 0) return {};
    return {id.begin(), id.begin() + static_cast<std::ptrdiff_t>(size)};
}

PrivateKeyHandle import_key(const Secret& pem, int& status) {
    gnutls_privkey_t raw = nullptr;
    status = gnutls_privkey_init(&raw);
    if (status != 0) return {};
    PrivateKeyHandle key(raw);
    const auto datum = borrowed(pem.bytes);
    // GNUTLS_PKCS_PLAIN: an encrypted key is refused instead of asking somebody for a PIN.
    status = gnutls_privkey_import_x509_raw(raw, &datum, GNUTLS_X509_FMT_PEM, nullptr, GNUTLS_PKCS_PLAIN);
    return key;
}

}  // namespace

// Builds one Identity step by step; the first fault ends it.
class IdentityLoader {
public:
    explicit IdentityLoader(const TlsIdentityFiles& files) : files_(files) {}

    Outcome<Ref<TlsIdentity>> load() {
        for (auto step :
             {&IdentityLoader::read_chain, &IdentityLoader::read_key, &IdentityLoader::fit, &IdentityLoader::serve})
            if (auto failure = (this->*step)()) return *failure;
        return Ref<TlsIdentity>(identity_);
    }

private:
    std::optional<Failure> read_chain() {
        auto pem = read_file(files_.chain_file, false);
        if (!pem) return pem.failure;
        gnutls_x509_crt_t* list = nullptr;
        unsigned count = 0;
        const auto datum = borrowed(pem->bytes);
        const int status = gnutls_x509_crt_list_import2(&list, &count, &datum, GNUTLS_X509_FMT_PEM, 0);
        if (status < 0)
            return fault(files_.chain_file, std::string("holds no readable PEM certificate (") +
                                                gnutls_strerror(status) + "); put leaf and intermediates into it");
        std::vector<CertificateHandle> certificates(list, list + count);
        gnutls_free(list);
        if (count > most_certificates)
            return fault(files_.chain_file, "holds more than 16 certificates; keep the leaf and its intermediates");
        for (const auto& certificate : certificates)
            if (auto failure = keep(certificate.get())) return failure;
        return std::nullopt;
    }

    std::optional<Failure> keep(gnutls_x509_crt_t certificate) {
        OwnedDatum der;
        gnutls_pcert_st entry{};
        if (gnutls_x509_crt_export2(certificate, GNUTLS_X509_FMT_DER, &der.datum) != 0 ||
            gnutls_pcert_import_x509(&entry, certificate, 0) != 0)
            return fault(files_.chain_file, "holds a certificate that cannot be used; ask its CA for a new one");
        identity_->certificates_.push_back(entry);
        const auto octets = der.view();
        auto facts = read_facts(octets);
        if (!facts)
            return fault(files_.chain_file, "certificate " + std::to_string(identity_->certificates_.size()) +
                                                " is not strict DER; partners would refuse it, ask its CA for a new "
                                                "one");
        if (identity_->chain_.empty()) identity_->facts_ = std::move(*facts);
        identity_->chain_.emplace_back(octets.begin(), octets.end());
        return std::nullopt;
    }

    std::optional<Failure> read_key() {
        auto pem = read_file(files_.key_file, true);
        if (!pem) return pem.failure;
        int status = 0;
        identity_->key_ = import_key(*pem, status);
        if (status == 0) {
            server_key_ = import_key(*pem, status);
        }
        if (status == GNUTLS_E_DECRYPTION_FAILED)
            return fault(files_.key_file, "the private key is encrypted; store it without a passphrase, mode 0640");
        if (status != 0)
            return fault(files_.key_file, std::string("holds no readable PEM private key (") + gnutls_strerror(status) +
                                              "); name the key of " + files_.chain_file);
        return std::nullopt;
    }

    std::optional<Failure> fit() {
        gnutls_pubkey_t raw = nullptr;
        if (gnutls_pubkey_init(&raw) != 0) return fault(files_.key_file, "out of memory");
        const PublicKeyHandle ours(raw);
        if (gnutls_pubkey_import_privkey(raw, identity_->key(), 0, 0) != 0)
            return fault(files_.key_file, "the private key is damaged; restore it from its backup");
        const auto wanted = key_id(raw);
        for (std::size_t at = 0; at < identity_->certificates_.size(); ++at) {
            if (wanted.empty() || key_id(identity_->certificates_[at].pubkey) != wanted) continue;
            if (at == 0) return std::nullopt;
            return fault(files_.chain_file, "the certificate of " + files_.key_file + " is number " +
                                                std::to_string(at + 1) + " of the chain; put it first");
        }
        return fault(files_.key_file, "is not the key of the certificate in " + files_.chain_file +
                                          "; name the key that the certificate was requested with");
    }

    std::optional<Failure> serve() {
        gnutls_certificate_credentials_t raw = nullptr;
        if (gnutls_certificate_allocate_credentials(&raw) != 0) return fault(files_.chain_file, "out of memory");
        identity_->server_.reset(raw);
        // GnuTLS takes over the certificates and the key that it is given here, hence a second set of each.
        auto* certificates =
            static_cast<gnutls_pcert_st*>(gnutls_calloc(identity_->chain_.size(), sizeof(gnutls_pcert_st)));
        if (!certificates) return fault(files_.chain_file, "out of memory");
        for (std::size_t at = 0; at < identity_->chain_.size(); ++at) {
            const auto der = borrowed(identity_->chain_[at]);
            gnutls_pcert_import_x509_raw(&certificates[at], &der, GNUTLS_X509_FMT_DER, 0);
        }
        const int status = gnutls_certificate_set_key(raw, nullptr, 0, certificates,
                                                      static_cast<int>(identity_->chain_.size()), server_key_.get());
        if (status < 0) {
            for (std::size_t at = 0; at < identity_->chain_.size(); ++at) gnutls_pcert_deinit(&certificates[at]);
            gnutls_free(certificates);
            return fault(files_.key_file, std::string("cannot be used for TLS (") + gnutls_strerror(status) + ")");
        }
        gnutls_free(certificates);
        static_cast<void>(server_key_.release());
        return std::nullopt;
    }

    const TlsIdentityFiles& files_;
    Ref<Identity> identity_ = make_ref<Identity>();
    PrivateKeyHandle server_key_;
};

Identity::~Identity() {
    for (auto& certificate : certificates_) gnutls_pcert_deinit(&certificate);
}

Outcome<Ref<TlsIdentity>> load_identity(const TlsIdentityFiles& files) { return IdentityLoader(files).load(); }

}  // namespace postern::tls_mutual
