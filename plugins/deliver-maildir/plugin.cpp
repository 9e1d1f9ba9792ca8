#include <deliver-maildir/maildir.hpp>
#include <postern/plugin.hpp>

namespace {

class MaildirPlugin : public postern::Plugin {
    std::vector<postern::KeySpec> keys() const override {
        return {{"folder", postern::KeyKind::path, "/var/mail", "Parent of DOMAIN/LOCAL-PART/{tmp,new,cur}."}};
    }
    void start(postern::Registrar& registrar) override {
        apply(registrar.host().settings());
        registrar.provide<postern::Delivery>(maildir_, postern::Runs::lane, "maildir");
    }
    void apply(const postern::SettingsNode& settings) override {
        maildir_.folder(std::string(settings.text("folder", "/var/mail")));
    }
    postern::maildir::Maildir maildir_;
};

}  // namespace

POSTERN_PLUGIN("deliver-maildir", "0.1");
POSTERN_ENTRY(MaildirPlugin)
