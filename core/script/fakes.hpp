// What a test says of a session, an envelope and an event: read from its table, held against the table of events and
// completed, then shown to a script as the daemon would show it. Which entry a domain matches is never said but found
// in the lists, as there.
#pragma once

#include <lua.hpp>
#include <map>
#include <memory>
#include <policy/events.hpp>
#include <script/fake_lists.hpp>
#include <script/lookups.hpp>

namespace postern::script {

struct FakeSession : Session {
    std::string_view id() const override { return id_; }
    std::string_view connector() const override { return connector_; }
    std::string_view remote_address() const override { return remote_address_; }
    std::string_view helo() const override { return helo_; }
    const TlsFacts* tls() const override { return tls_ ? &*tls_ : nullptr; }
    bool outbound() const override { return outbound_; }

    std::string id_ = "0123456789ABCDEF", connector_ = "Fake", remote_address_ = "192.0.2.1",
                helo_ = "mail.example.org";
    bool outbound_ = false;
    std::optional<TlsFacts> tls_;
};

struct FakeEnvelope : Envelope {
    std::string_view sender() const override { return sender_; }
    std::string_view sender_domain() const override { return sender_domain_; }
    std::size_t recipients() const override { return recipients_.size(); }
    std::string_view recipient(std::size_t i) const override { return recipients_[i].first; }
    std::string_view recipient_domain(std::size_t i) const override { return recipients_[i].second; }

    std::string sender_, sender_domain_;
    std::vector<std::pair<std::string, std::string>> recipients_;  // address, its domain
};

struct Fake {
    explicit Fake(const policy::EventRow& of) : row(of) {}
    // Valid as long as the fake is.
    policy::AskedQuestion question() const;

    const policy::EventRow& row;
    std::optional<std::size_t> timer;  // which postern.every is due, instead of the event's handlers
    FakeSession session;
    FakeEnvelope envelope;
    FakeLists lists;
    bool sender_said = false;
    std::string domain, entry, header;
    std::vector<Detail> details;
    // By type ("A"; empty for http) and name; what is not in it, the test forgot.
    std::map<std::pair<std::string, std::string>, Found> lookups;
};

// The table at `index`, or nothing there; raises Lua errors. `lists`: where the table names none. `partner`: the entry
// whose script is tested, or empty; it fills what the table leaves out.
std::unique_ptr<Fake> read_fake(lua_State* lua, int index, const policy::EventRow& row, const FakeLists& lists,
                                const std::string& partner);

}  // namespace postern::script
