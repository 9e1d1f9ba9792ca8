// Descriptor and wiring: the observer that writes, and the `log` verbs.
#include <logging/show.hpp>
#include <logging/writer.hpp>
#include <memory>
#include <postern/plugin.hpp>

namespace postern::logging {

class Logging final : public Plugin {
public:
    std::vector<KeySpec> keys() const override { return logging::keys(); }
    void start(Registrar& registrar) override {
        writer_ = std::make_unique<Writer>(registrar.host());
        verbs_ = std::make_unique<LogVerbs>(registrar.host());
        registrar.provide<ProtocolObserver>(*writer_, Runs::lane, "logging");
        registrar.provide<AdminVerbs>(*verbs_, Runs::lane, "log");
    }
    void apply(const SettingsNode& node) override { writer_->configure(read(node)); }
    void retire() override {
        if (writer_) writer_->stop();
    }

private:
    std::unique_ptr<Writer> writer_;
    std::unique_ptr<LogVerbs> verbs_;
};

}  // namespace postern::logging

POSTERN_PLUGIN("logging", "0.1");
POSTERN_ENTRY(postern::logging::Logging)
