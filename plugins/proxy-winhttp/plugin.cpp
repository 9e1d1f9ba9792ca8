// Descriptor and wiring: one Fetcher under two names, the ProxyResolver that it asks, and the `proxy` verbs.
#include <memory>
#include <postern/plugin.hpp>
#include <proxy-winhttp/fetcher.hpp>
#include <proxy-winhttp/verbs.hpp>

namespace postern::proxy_winhttp {

class ProxyWinhttp final : public Plugin {
public:
    void start(Registrar& registrar) override {
        file_ = std::make_unique<ProxyFile>(registrar.host());
        fetcher_ = std::make_unique<HttpFetcher>(registrar.host());
        verbs_ = std::make_unique<ProxyVerbs>(*file_);
        registrar.provide<ProxyResolver>(*file_, Runs::inline_);
        registrar.provide<Fetcher>(*fetcher_, Runs::lane, "http");
        registrar.provide<Fetcher>(*fetcher_, Runs::lane, "https");
        registrar.provide<AdminVerbs>(*verbs_, Runs::lane, "proxy");
    }
    void retire() override {
        if (fetcher_) fetcher_->stop();
    }

private:
    std::unique_ptr<ProxyFile> file_;
    std::unique_ptr<HttpFetcher> fetcher_;
    std::unique_ptr<ProxyVerbs> verbs_;
};

}  // namespace postern::proxy_winhttp

POSTERN_PLUGIN("proxy-winhttp", "0.1");
POSTERN_ENTRY(postern::proxy_winhttp::ProxyWinhttp)
