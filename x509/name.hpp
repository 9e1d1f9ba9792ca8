// A distinguished name: its octets, its text (RFC 4514, most specific first) and the form in which two are compared.
//
// Comparison follows RFC 5280 7.1: case and white space do not count in textual values, nor which string type carries
// them; other values are compared octet by octet. A name without RDNs is a name (an empty subject is legal).
#pragma once

#include <postern/types.hpp>
#include <x509/der.hpp>

namespace postern::x509 {

class Name {
public:
    // `element` is the SEQUENCE OF RDNs. Empty where malformed, or of more than 64 RDNs.
    static std::optional<Name> read(const Element& element);
    // This name with one more RDN: CRL distribution points relative to their issuer (RFC 5280 4.2.1.13).
    std::optional<Name> with_rdn(BytesView attributes) const;

    const std::string& text() const { return text_; }
    const std::string& key() const { return key_; }  // equal keys = equal names; for maps
    bool empty() const { return rdns_.empty(); }
    bool within(const Name& base) const;  // base is this name or an ancestor of it
    const std::vector<std::string>& common_names() const { return common_names_; }  // UTF-8, otherwise as they stand
    const std::vector<std::string>& emails() const { return emails_; }
    friend bool operator==(const Name& left, const Name& right) { return left.key_ == right.key_; }

private:
    bool add_rdn(BytesView attributes);

    std::vector<std::string> rdns_;  // normalised, one each
    std::string text_, key_;
    std::vector<std::string> common_names_, emails_;
};

// The text of a string type as UTF-8; empty optional where it is not one of them or not well-formed.
std::optional<std::string> to_utf8(const Element&);
std::string fold_ascii(std::string_view);
std::string hex(BytesView, bool upper);

}  // namespace postern::x509
