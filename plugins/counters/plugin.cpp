// Descriptor and wiring: no role, only an address that serves the host's counters from apply() to retire().
#include <counters/endpoint.hpp>
#include <postern/plugin.hpp>

namespace postern::counters {

class CountersPlugin final : public Plugin {
public:
    std::vector<KeySpec> keys() const override { return counters::keys(); }
    std::vector<SettingsProblem> check(const SettingsNode& node) const override { return counters::check(node); }
    void start(Registrar& registrar) override { endpoint_ = std::make_unique<Endpoint>(registrar.host()); }
    void apply(const SettingsNode& node) override {
        if (const auto address = read(node)) endpoint_->listen_on(*address);
    }
    void retire() override {
        if (endpoint_) endpoint_->stop();
    }

private:
    std::unique_ptr<Endpoint> endpoint_;
};

}  // namespace postern::counters

POSTERN_PLUGIN("counters", "0.1");
POSTERN_ENTRY(postern::counters::CountersPlugin)
