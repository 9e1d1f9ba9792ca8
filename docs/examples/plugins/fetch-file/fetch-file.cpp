// A role with answers that come later: a Fetcher for file: URLs below one folder. The call returns at once; the answer
// is given from the host's pool. An Answer that is dropped is a failure, and a second one is ignored.
#include <filesystem>
#include <fstream>
#include <postern/plugin.hpp>

using namespace postern;

namespace {

class FetchFile : public Plugin, public Fetcher {
public:
    std::vector<KeySpec> keys() const override { return {{"folder", KeyKind::path, {}, "What may be read."}}; }
    void start(Registrar& registrar) override {
        host_ = &registrar.host();
        registrar.provide<Fetcher>(*this, Runs::lane, "file");
    }
    void apply(const SettingsNode& settings) override { folder_ = settings.text("folder"); }

    Pending<FetchAnswer> fetch(FetchRequest request) override {
        auto answer = Answer<FetchAnswer>::make();
        host_->offload([answer, folder = folder_, url = request.url] { answer.settle(read(folder, url)); });
        return answer.pending();
    }

private:
    static Outcome<FetchAnswer> read(const std::string& folder, const std::string& url) {
        const auto name = url.substr(std::min(url.size(), std::string_view("file:///").size()));
        if (name.empty() || name.find("..") != std::string::npos)
            return Failure{"crl-unreachable", url + " is not below the folder of fetch-file"};
        std::ifstream file(folder + "/" + name, std::ios::binary);
        if (!file) return Failure{"crl-unreachable", url + " cannot be read; see folder of fetch-file"};
        FetchAnswer answer;
        answer.body.assign(std::istreambuf_iterator<char>(file), {});
        answer.way = "file " + name;
        return answer;
    }

    Host* host_ = nullptr;
    std::string folder_;
};

}  // namespace

POSTERN_PLUGIN("fetch-file", "1.0");
POSTERN_ENTRY(FetchFile)
