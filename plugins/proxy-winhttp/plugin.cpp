// Descriptor and wiring: one Fetcher under two names, the ProxyResolver that it asks, and the `proxy` verbs.
#include <memory>
#include <postern/plugin.hpp>
#include <proxy-winhttp/fetcher.hpp>
#include <proxy-winhttp/messages.hpp>
#include <proxy-winhttp/settings.hpp>
#include <proxy-winhttp/verbs.hpp>

namespace postern::proxy_winhttp {

class ProxyWinhttp final : public Plugin {
public:
    std::vector<KeySpec> keys() const override { return proxy_winhttp::keys(); }
    std::vector<SettingsProblem> check(const SettingsNode& node) const override { return proxy_winhttp::check(node); }

    void start(Registrar& registrar) override {
        host_ = &registrar.host();
        file_ = std::make_unique<ProxyFile>(registrar.host());
        fetcher_ = std::make_unique<HttpFetcher>(registrar.host());
        verbs_ = std::make_unique<ProxyVerbs>(*file_);
        registrar.provide<ProxyResolver>(*file_, Runs::inline_);
        registrar.provide<Fetcher>(*fetcher_, Runs::lane, "http");
        registrar.provide<Fetcher>(*fetcher_, Runs::lane, "https");
        registrar.provide<AdminVerbs>(*verbs_, Runs::lane, "proxy");
        apply(host_->settings());  // commands fetch too, and are never applied
    }
    void apply(const SettingsNode& node) override {
        const auto failure = fetcher_->trust(node.list("https_roots"));
        if (failure) host_->log(Severity::error, messages::https_roots_unusable, failure->text);
        host_->alarm(messages::https_roots_unusable, "https_roots",
                     failure ? failure->text + "; nothing is fetched over https until it is mended" : "");
    }
    void retire() override {
        if (fetcher_) fetcher_->stop();
    }

private:
    Host* host_ = nullptr;
    std::unique_ptr<ProxyFile> file_;
    std::unique_ptr<HttpFetcher> fetcher_;
    std::unique_ptr<ProxyVerbs> verbs_;
};

}  // namespace postern::proxy_winhttp

POSTERN_PLUGIN("proxy-winhttp", "0.1");
POSTERN_ENTRY(postern::proxy_winhttp::ProxyWinhttp)
