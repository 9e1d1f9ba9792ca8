// The one table of events: it documents each (docs/events.md is printed from it), names it for scripts, and says which
// answers it takes. Who asks is net/deciding.hpp; who answers are native deciders and script/.
#pragma once

#include <postern/decider.hpp>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace postern::policy {

struct DetailRow {
    std::string_view name, explanation;
    bool number = false;  // scripts see it as one
};

struct EffectRow {
    EffectKind kind;
    std::string_view name;       // for scripts: postern.add_field
    std::string_view arguments;  // "name, value"
    bool wants_name = false, wants_value = false;
    std::string_view explanation;
};

struct EventRow {
    Event event;
    std::string_view name;
    std::string_view when;
    bool session = true, envelope = true;  // which views there are
    bool verdict = false;                  // defer and reject are taken; proceed always is
    bool demand = false;                   // a requirement is taken
    std::span<const DetailRow> details;
    std::span<const EffectKind> effects;
    std::string_view on_failure;
};

std::span<const EventRow> event_rows();
std::span<const EffectRow> effect_rows();
const EventRow* find_event(Event event);
const EventRow* find_event(std::string_view name);
const EffectRow* find_effect(EffectKind kind);

// Empty, or why the answer is nonsense at that event: what it does not take, or what cannot be carried out.
std::string nonsense(const EventRow& row, const Decision& decision);

// docs/events.md
std::string events_page();

// The host's Question: what stands in it outlives the call that shows it.
class AskedQuestion final : public Question {
public:
    AskedQuestion(Event event, const Session* session, const Envelope* envelope, std::string_view partner = {},
                  std::string_view domain = {})
        : event_(event), session_(session), envelope_(envelope), partner_(partner), domain_(domain) {}

    AskedQuestion& with(std::string_view name, std::string value) {
        details_.push_back({std::string(name), std::move(value)});
        return *this;
    }
    AskedQuestion& with_header(std::string_view header) {
        header_ = header;
        return *this;
    }

    Event event() const override { return event_; }
    const Session* session() const override { return session_; }
    const Envelope* envelope() const override { return envelope_; }
    std::string_view domain() const override { return domain_; }
    std::string_view partner() const override { return partner_; }
    std::optional<std::string_view> detail(std::string_view name) const override;
    std::string_view header() const override { return header_; }
    const std::vector<Detail>& details() const { return details_; }

private:
    Event event_;
    const Session* session_;
    const Envelope* envelope_;
    std::string_view partner_, domain_, header_;
    std::vector<Detail> details_;
};

}  // namespace postern::policy
