#include <crl/list_answer.hpp>
#include <postern/fetch_rules.hpp>
#include <x509/der.hpp>
#include <x509/pem.hpp>

namespace postern::crl {
namespace {

using Lists = Outcome<std::vector<Bytes>>;

Failure unusable(std::string text) { return {"crl-unverifiable", std::move(text)}; }

constexpr std::uint8_t signed_data[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02};  // 1.2.840.113549.1.7.2
constexpr std::size_t most_elements = 4096;  // of certificates and digests passed over on the way to the lists

bool is_pkcs7(const x509::Element& outer) {
    x509::Reader fields(outer);
    const auto type = fields.optional(x509::tag::oid);
    return type && x509::equal(type->content, signed_data);
}

// RFC 5652 5.1, of a message that carries lists and no content: certificates and signers are passed over, since a list
// proves itself.
Lists in_pkcs7(const x509::Element& outer) {
    using namespace x509;
    Reader message(outer);
    message.expect(tag::oid);
    Reader wrapper(message.expect(tag::context_constructed(0)));
    Reader data(wrapper.expect(tag::sequence));
    data.expect(tag::integer);
    data.expect(tag::set);
    data.expect(tag::sequence);
    data.optional(tag::context_constructed(0));
    const auto choices = data.optional(tag::context_constructed(1));
    data.expect(tag::set);
    if (!message.finished() || !wrapper.finished() || !data.finished()) return unusable("PKCS#7 that is malformed");
    std::vector<Bytes> lists;
    Reader each(choices ? choices->content : BytesView());
    for (std::size_t count = 0; each.more() && count < most_elements; ++count) {
        const auto one = each.any();
        if (one.tag != tag::sequence) continue;  // [1]: revocation information of another kind
        if (lists.size() >= most_lists_an_answer) return unusable("more than 16 lists in one answer");
        lists.emplace_back(one.whole.begin(), one.whole.end());
    }
    if (!each.finished()) return unusable("PKCS#7 that is malformed");
    if (lists.empty()) return unusable("PKCS#7 without a revocation list");
    return lists;
}

// One element is the usual case: its octets are handed on without a copy.
Lists in_der(Bytes answer) {
    std::vector<Bytes> lists;
    x509::Reader reader(answer);
    while (reader.more()) {
        const auto one = reader.expect(x509::tag::sequence);
        if (reader.failed()) break;
        if (one.whole.size() == answer.size()) {
            if (is_pkcs7(one)) return in_pkcs7(one);
            lists.push_back(std::move(answer));
            return lists;
        }
        if (lists.size() >= most_lists_an_answer) return unusable("more than 16 lists in one answer");
        lists.emplace_back(one.whole.begin(), one.whole.end());
    }
    if (reader.failed()) return unusable("the answer is cut off, or something stands behind its DER");
    return lists;
}

bool looks_like_text(BytesView answer) {
    return std::all_of(answer.begin(),
                       answer.begin() + static_cast<std::ptrdiff_t>(std::min<std::size_t>(64, answer.size())),
                       [](std::uint8_t octet) { return octet >= 0x09 && octet < 0x7f; });
}

}  // namespace

Lists lists_of(Bytes answer) {
    if (answer.empty()) return unusable("the answer is empty");
    if (answer.front() == x509::tag::sequence) return in_der(std::move(answer));
    auto blocks = x509::read_blocks(answer, "X509 CRL");
    if (!blocks) return unusable(blocks.failure.text);
    if (blocks->size() > most_lists_an_answer) return unusable("more than 16 lists in one answer");
    if (!blocks->empty()) return blocks;
    for (const auto* label : {"PKCS7", "CMS"}) {
        auto wrapped = x509::read_blocks(answer, label);
        if (!wrapped) return unusable(wrapped.failure.text);
        if (!wrapped->empty()) return in_der(std::move(wrapped->front()));
    }
    if (looks_like_text(answer))
        return unusable("no revocation list came but text that begins \"" +
                        printable(x509::text(BytesView(answer).first(std::min<std::size_t>(40, answer.size())))) +
                        "\"");
    return unusable("the answer is neither DER, PEM nor PKCS#7");
}

}  // namespace postern::crl
