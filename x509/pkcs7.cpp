#include <x509/der.hpp>
#include <x509/oid.hpp>
#include <x509/pem.hpp>
#include <x509/pkcs7.hpp>

namespace postern::x509 {
namespace {

Failure unreadable(std::string what) { return {"incomplete-chain", "what came there is " + std::move(what)}; }

// SignedData's certificates [0]; other kinds of certificates (RFC 5652 10.2.2) have tags of their own and are passed
// over.
std::optional<std::vector<Bytes>> certificates_of(Reader message) {
    Reader content(message.expect(tag::sequence));
    if (text(content.expect(tag::oid).content) != oid::signed_data || !message.finished()) return std::nullopt;
    Reader wrapper(content.expect(tag::context_constructed(0)));
    Reader data(wrapper.expect(tag::sequence));
    if (!content.finished() || !wrapper.finished() || !read_unsigned(data.expect(tag::integer))) return std::nullopt;
    data.expect(tag::set);       // digest algorithms
    data.expect(tag::sequence);  // the content, of which there is none
    const auto certificates = data.optional(tag::context_constructed(0));
    if (data.failed() || !certificates) return std::nullopt;
    std::vector<Bytes> found;
    Reader list(*certificates);
    while (list.more()) {
        const auto one = list.any();
        if (list.failed() || found.size() == most_certificates_in_message) return std::nullopt;
        if (one.tag == tag::sequence) found.emplace_back(one.whole.begin(), one.whole.end());
    }
    if (!list.finished()) return std::nullopt;
    return found;
}

bool looks_like_message(BytesView der) {
    Reader outer(der);
    Reader fields(outer.expect(tag::sequence));
    return fields.optional(tag::oid).has_value();
}

}  // namespace

Outcome<std::vector<Bytes>> read_issuer_certificates(BytesView octets) {
    std::vector<Bytes> found;
    const bool pem = !octets.empty() && octets[0] != tag::sequence;
    auto messages = pem ? read_blocks(octets, "PKCS7") : Outcome<std::vector<Bytes>>(std::vector<Bytes>{});
    if (!pem) messages->emplace_back(octets.begin(), octets.end());
    if (!messages) return unreadable("no certificate: " + messages.failure.text);
    if (messages->empty()) {
        auto plain = read_certificates(octets);
        if (!plain) return unreadable("no certificate: " + plain.failure.text);
        found = std::move(*plain);
    }
    for (auto& message : *messages) {
        Reader whole(message);
        whole.expect(tag::sequence);
        if (!whole.finished()) return unreadable("not one DER structure");
        if (!looks_like_message(message)) {
            found.push_back(std::move(message));
            continue;
        }
        auto certificates = certificates_of(Reader(message));
        if (!certificates) return unreadable("no PKCS#7 message of certificates");
        for (auto& one : *certificates) found.push_back(std::move(one));
    }
    if (found.empty()) return unreadable("neither a certificate (DER or PEM) nor a PKCS#7 message of some");
    if (found.size() > most_certificates_in_message) return unreadable("more certificates than one CA has issuers");
    return found;
}

}  // namespace postern::x509
