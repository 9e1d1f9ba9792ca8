// Descriptor and wiring: one Delivery under the name `maildir`.
#include <deliver-maildir/maildir.hpp>
#include <memory>
#include <postern/plugin.hpp>

namespace postern::maildir {

class MaildirPlugin final : public Plugin {
public:
    std::vector<KeySpec> keys() const override {
        return {{"folder", KeyKind::path, "/var/mail", "Parent of DOMAIN/LOCAL-PART/{tmp,new,cur}."}};
    }
    std::vector<SettingsProblem> check(const SettingsNode& node) const override {
        const auto* folder = node.find("folder");
        if (!folder || folder->value.starts_with('/')) return {};
        return {{folder->file, folder->line, "folder", "\"" + folder->value + "\" is not an absolute path"}};
    }
    void start(Registrar& registrar) override {
        maildir_ = std::make_unique<Maildir>(registrar.host());
        registrar.provide<Delivery>(*maildir_, Runs::lane, "maildir");
    }
    void apply(const SettingsNode& node) override { maildir_->use(std::string(node.text("folder", "/var/mail"))); }

private:
    std::unique_ptr<Maildir> maildir_;
};

}  // namespace postern::maildir

POSTERN_PLUGIN("deliver-maildir", "0.1");
POSTERN_ENTRY(postern::maildir::MaildirPlugin)
