// `postern proxy show | set | direct | import`: what proxycfg was for WinHTTP, with one difference: no restart is
// needed.
#pragma once

#include <proxy-winhttp/proxy_file.hpp>

namespace postern::proxy_winhttp {

class ProxyVerbs final : public AdminVerbs {
public:
    explicit ProxyVerbs(ProxyFile& file) : file_(file) {}

    std::vector<VerbSpec> verbs() const override;
    Pending<VerbResult> run(std::vector<std::string> words) override;

private:
    VerbResult show(bool json);
    VerbResult set(const std::vector<std::string>& words);
    VerbResult direct();
    VerbResult import(const std::string& only);
    VerbResult put(const ProxySettings& settings, std::string first);

    ProxyFile& file_;
};

}  // namespace postern::proxy_winhttp
