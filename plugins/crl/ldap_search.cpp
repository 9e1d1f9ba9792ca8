// libldap over a Connection; see ldap_search.hpp. Start at search().
#include <ldap.h>
#include <openldap.h>

#include <cerrno>
#include <crl/ldap_gate.hpp>
#include <crl/ldap_search.hpp>
#include <cstdlib>
#include <mutex>

namespace postern::crl {
namespace {

constexpr std::size_t most_values = 16;
constexpr std::uint64_t around_the_values = 64 << 10;  // what an answer needs beyond its values

Failure failed(std::string text) { return {"crl-unreachable", std::move(text)}; }

// libldap reads ldap.conf, ~/.ldaprc and LDAP* at its first use, and has no other switch against it than this. No other
// code here sets environment variables: glibc leaves the first block as it was, so that who reads it meanwhile is safe.
void shut_off_configuration() {
    static std::once_flag once;
    std::call_once(once, [] {
        if (!std::getenv("LDAPNOINIT")) ::setenv("LDAPNOINIT", "1", 0);
    });
}

struct Wire {
    Connection& connection;
    LdapGate gate;
    bool refused = false;
};
Wire& wire_of(Sockbuf_IO_Desc* layer) { return *static_cast<Wire*>(layer->sbiod_pvt); }

ber_slen_t read_gated(Sockbuf_IO_Desc* layer, void* into, ber_len_t size) {
    auto& wire = wire_of(layer);
    const auto count = wire.refused ? -1 : wire.connection.read(into, size);
    if (count <= 0 || wire.gate.pass({static_cast<const std::uint8_t*>(into), static_cast<std::size_t>(count)}))
        return count;
    wire.refused = true;
    errno = EPROTO;
    return -1;
}

// The layer through which libldap reads and writes: ours alone waits, so libldap is always told that data is there.
Sockbuf_IO layer_over_connection{
    [](Sockbuf_IO_Desc* layer, void* argument) {
        layer->sbiod_pvt = argument;
        return 0;
    },
    [](Sockbuf_IO_Desc*) { return 0; },
    [](Sockbuf_IO_Desc*, int option, void*) { return option == LBER_SB_OPT_DATA_READY ? 1 : 0; },
    read_gated,
    [](Sockbuf_IO_Desc* layer, void* from, ber_len_t size) -> ber_slen_t {
        return wire_of(layer).connection.write(from, size);
    },
    [](Sockbuf_IO_Desc*) { return 0; },  // the connection closes itself
};

struct EndSession {
    void operator()(LDAP* session) const { ldap_unbind_ext(session, nullptr, nullptr); }
};
using Session = std::unique_ptr<LDAP, EndSession>;
struct FreeMessage {
    void operator()(LDAPMessage* message) const { ldap_msgfree(message); }
};
using Message = std::unique_ptr<LDAPMessage, FreeMessage>;

Session begin(Wire& wire, std::uint64_t most) {
    shut_off_configuration();
    LDAP* raw = nullptr;
    if (ldap_init_fd(wire.connection.descriptor(), LDAP_PROTO_EXT, nullptr, &raw) != LDAP_SUCCESS) return {};
    Session session(raw);
    const int version = LDAP_VERSION3;
    ldap_set_option(raw, LDAP_OPT_PROTOCOL_VERSION, &version);
    ldap_set_option(raw, LDAP_OPT_REFERRALS, LDAP_OPT_OFF);
    ldap_set_option(raw, LDAP_OPT_RESTART, LDAP_OPT_OFF);
    const int never = LDAP_DEREF_NEVER;
    ldap_set_option(raw, LDAP_OPT_DEREF, &never);
    Sockbuf* buffer = nullptr;
    if (ldap_get_option(raw, LDAP_OPT_SOCKBUF, &buffer) != LDAP_OPT_SUCCESS || !buffer) return {};
    ber_len_t largest = most + around_the_values;
    ber_sockbuf_ctrl(buffer, LBER_SB_OPT_SET_MAX_INCOMING, &largest);
    int descriptor = wire.connection.descriptor();
    ber_sockbuf_ctrl(buffer, LBER_SB_OPT_SET_FD, &descriptor);
    ber_sockbuf_add_io(buffer, &layer_over_connection, LBER_SBIOD_LEVEL_PROVIDER, &wire);
    return session;
}

std::string why(int code, const LdapUrl& url) {
    switch (code) {
        case LDAP_NO_SUCH_OBJECT:
            return "the directory has no entry " + printable(url.dn);
        case LDAP_REFERRAL:
            return "the directory refers to another one, which is not followed";
        case LDAP_INSUFFICIENT_ACCESS:
        case LDAP_INAPPROPRIATE_AUTH:
        case LDAP_STRONG_AUTH_REQUIRED:
            return "the directory shows it to nobody who did not log in";
        default:
            return std::string("the directory answers: ") + ldap_err2string(code);
    }
}

// Appends the values that stand in one attribute; false where they are too much.
bool append(const berval* values, std::size_t& count, std::uint64_t most, Bytes& all) {
    for (; values && values->bv_val; ++values) {
        if (++count > most_values || values->bv_len > most - all.size()) return false;
        const auto* octets = reinterpret_cast<const std::uint8_t*>(values->bv_val);
        all.insert(all.end(), octets, octets + values->bv_len);
    }
    return true;
}

Outcome<Bytes> values_of(LDAP* session, LDAPMessage* entry, const LdapUrl& url, std::uint64_t most) {
    BerElement* reader = nullptr;
    berval name{};
    if (ldap_get_dn_ber(session, entry, &reader, &name) != LDAP_SUCCESS) return failed("its answer is no LDAP");
    const std::unique_ptr<BerElement, void (*)(BerElement*)> owned(reader, [](BerElement* one) { ber_free(one, 0); });
    Bytes all;
    std::size_t count = 0;
    for (;;) {
        berval attribute{};
        berval* values = nullptr;  // in place: a list of 30 MB is copied once, into the answer
        const int code = ldap_get_attribute_ber(session, entry, reader, &attribute, &values);
        const std::unique_ptr<berval, void (*)(void*)> freed(values, ber_memfree);
        if (code != LDAP_SUCCESS) return failed("its answer is no LDAP");
        if (!attribute.bv_val) break;
        const std::string_view what(attribute.bv_val, attribute.bv_len);
        if (same_attribute(what, url.attribute) && !append(values, count, most, all))
            return failed("its values are larger than " + std::to_string(most) + " octets or more than 16");
    }
    if (count == 0) return failed("the entry has no " + printable(url.attribute));
    return all;
}

}  // namespace

Outcome<Bytes> search(Connection& connection, const LdapUrl& url, std::uint64_t most) {
    connection.allow_octets(2 * around_the_values + most);
    Wire wire{connection, {}};
    const auto session = begin(wire, most);
    if (!session) return failed("out of memory");
    const auto lost = [&](int code) {
        if (wire.refused) return failed("what it says is no answer to the question, or no LDAP");
        return failed(connection.fault().empty() ? why(code, url) : connection.fault());
    };
    std::string attribute = url.attribute;
    char* attributes[] = {attribute.data(), nullptr};
    int id = 0;
    int code = ldap_search_ext(session.get(), url.dn.c_str(), LDAP_SCOPE_BASE, url.filter.c_str(), attributes, 0,
                               nullptr, nullptr, nullptr, 1, &id);
    if (code != LDAP_SUCCESS) return lost(code);
    LDAPMessage* raw = nullptr;
    // Without a time of its own: the connection's deadline ends it.
    const int type = ldap_result(session.get(), id, LDAP_MSG_ALL, nullptr, &raw);
    const Message answer(raw);
    ldap_get_option(session.get(), LDAP_OPT_RESULT_CODE, &code);
    // Where the answer cannot be decoded libldap loses its copy of our question: 4 KB, once a back-off.
    if (type <= 0) return lost(code == LDAP_SUCCESS ? LDAP_SERVER_DOWN : code);
    if (ldap_parse_result(session.get(), raw, &code, nullptr, nullptr, nullptr, nullptr, 0) != LDAP_SUCCESS)
        return failed("its answer is no LDAP");
    auto* entry = ldap_first_entry(session.get(), raw);
    if (code != LDAP_SUCCESS) return failed(why(code, url));
    if (!entry) return failed("the directory shows nothing of the entry " + printable(url.dn));
    return values_of(session.get(), entry, url, most);
}

}  // namespace postern::crl
