// The ProxyResolver: proxy.info in the state folder, read again whenever it changed, so that what `postern proxy`
// wrote is in force at the next fetch.
//
// A file that cannot be read or understood never means "direct": choose() then answers no_way() with the reason. Any
// thread.
#pragma once

#include <mutex>
#include <postern/host.hpp>
#include <proxy-winhttp/proxy_settings.hpp>

namespace postern::proxy_winhttp {

class ProxyFile final : public ProxyResolver {
public:
    explicit ProxyFile(Host& host) : host_(host) {}

    ProxyChoice choose(std::string_view url, bool ignore_bypass) override;

    // What is in force; a failure names file and line.
    Outcome<ProxySettings> settings();
    // Atomically: a new file beside the old one, synced, renamed over it. The failure says what to do.
    std::optional<Failure> write(const ProxySettings& settings);
    std::string path() const;  // empty where there is no state folder

private:
    // Which version of the file was read: a rename changes the inode, an edit in place time or size.
    struct Version {
        std::uint64_t inode = 0, size = 0;
        std::int64_t seconds = 0, nanoseconds = 0;
        bool there = false;
        bool operator==(const Version&) const = default;
    };
    Outcome<ProxySettings> read(Version& version) const;
    void tell(const Outcome<ProxySettings>& outcome);

    Host& host_;
    std::mutex mutex_;
    std::optional<Version> version_;
    Outcome<ProxySettings> known_{ProxySettings{}};
};

}  // namespace postern::proxy_winhttp
