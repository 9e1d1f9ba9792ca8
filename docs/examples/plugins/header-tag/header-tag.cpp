// A decider in thirty lines: every message says by which connector it came in.
#include <postern/plugin.hpp>

using namespace postern;

class HeaderTag : public Plugin, public Decider {
public:
    std::vector<KeySpec> keys() const override {
        return {{"name", KeyKind::text, "X-Received-By", "The header field."}};
    }
    void start(Registrar& registrar) override {
        name_ = registrar.host().settings().text("name", "X-Received-By");
        registrar.provide<Decider>(*this, Runs::inline_);  // it never blocks
    }
    std::vector<Event> events() const override { return {Event::header_end}; }
    Pending<Decision> decide(const Question& question) override {
        Decision decision;
        decision.effects.push_back({EffectKind::add_field, name_, std::string(question.session()->connector())});
        return decision;
    }

private:
    std::string name_;
};

POSTERN_PLUGIN("header-tag", "1.0");
POSTERN_ENTRY(HeaderTag)
