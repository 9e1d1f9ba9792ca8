// For tests of deciders: a question whose every part the test sets. Absent session or envelope: leave `with_...` false.
#pragma once

#include <map>
#include <postern/decider.hpp>

namespace postern::test {

struct FakeSession : Session {
    std::string session_id = "0123456789ABCDEF", connector_name = "Inet", address = "192.0.2.1",
                name = "mail.example.org";
    std::optional<TlsFacts> facts;
    bool is_outbound = false;

    std::string_view id() const override { return session_id; }
    std::string_view connector() const override { return connector_name; }
    std::string_view remote_address() const override { return address; }
    std::string_view helo() const override { return name; }
    const TlsFacts* tls() const override { return facts ? &*facts : nullptr; }
    bool outbound() const override { return is_outbound; }
};

struct FakeEnvelope : Envelope {
    std::string from = "alice@example.org";
    std::vector<std::string> to{"bob@contoso.com"};

    static std::string_view domain_of(std::string_view address) {
        const auto at = address.rfind('@');
        return at == std::string_view::npos ? std::string_view() : address.substr(at + 1);
    }
    std::string_view sender() const override { return from; }
    std::string_view sender_domain() const override { return domain_of(from); }
    std::size_t recipients() const override { return to.size(); }
    std::string_view recipient(std::size_t i) const override { return to.at(i); }
    std::string_view recipient_domain(std::size_t i) const override { return domain_of(to.at(i)); }
};

struct FakeQuestion : Question {
    explicit FakeQuestion(Event at) : asked_at(at) {}
    Event asked_at;
    FakeSession shown_session;
    FakeEnvelope shown_envelope;
    bool with_session = true, with_envelope = true;
    std::string domain_in_question, listed_entry, header_section;
    std::map<std::string, std::string, std::less<>> details;

    Event event() const override { return asked_at; }
    const Session* session() const override { return with_session ? &shown_session : nullptr; }
    const Envelope* envelope() const override { return with_envelope ? &shown_envelope : nullptr; }
    std::string_view domain() const override { return domain_in_question; }
    std::string_view partner() const override { return listed_entry; }
    std::string_view header() const override { return header_section; }
    std::optional<std::string_view> detail(std::string_view wanted) const override {
        const auto found = details.find(wanted);
        if (found == details.end()) return std::nullopt;
        return found->second;
    }
};

}  // namespace postern::test
