// What a directory says, byte for byte, to the one question that is ever asked: libldap and what we make of its answer.
#include <sys/eventfd.h>
#include <unistd.h>

#include <crl/ldap_search.hpp>
#include <cstring>

namespace {

class Replay final : public postern::crl::Connection {
public:
    Replay(const std::uint8_t* data, std::size_t size) : data_(data), left_(size) {}
    ~Replay() override { ::close(descriptor_); }
    std::string start_tls(const std::string&, std::shared_ptr<const postern::crl::TlsTrust>) override { return {}; }
    long read(void* into, std::size_t size) override {
        const auto count = size < left_ ? size : left_;
        std::memcpy(into, data_, count);
        data_ += count;
        left_ -= count;
        return static_cast<long>(count);
    }
    long write(const void*, std::size_t size) override { return static_cast<long>(size); }
    const std::string& fault() const override { return fault_; }
    bool heard() const override { return true; }
    void allow_octets(std::uint64_t) override {}
    int descriptor() const override { return descriptor_; }
    std::string peer() const override { return {}; }

private:
    const std::uint8_t* data_;
    std::size_t left_;
    std::string fault_;
    int descriptor_ = ::eventfd(0, EFD_CLOEXEC);
};

}  // namespace

// libldap loses its copy of our question (4 KB) where an answer cannot be decoded; nothing of ours is to blame for
// that.
extern "C" const char* __asan_default_options() { return "detect_leaks=0"; }

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace postern::crl;
    static const auto url = LdapUrl::parse("ldap://a.example/cn=a?certificateRevocationList;binary");
    Replay replay(data, size);
    const auto body = search(replay, *url, 1u << 20);
    if (body && body->size() > 1u << 20) __builtin_trap();
    return 0;
}
