// `postern crl list | show | refresh | import`: asked of the daemon, whose lists they are; where none runs, of its
// cache on disk.
#pragma once

#include <crl/flights.hpp>
#include <crl/readers.hpp>

namespace postern::crl {

class CrlVerbs final : public AdminVerbs {
public:
    // `load` brings what is on disk, once: the daemon did so at its start, a command has not.
    CrlVerbs(Host& host, ListStore& store, Flights& flights, Readers& readers, std::function<void()> load = {})
        : host_(host), store_(store), flights_(flights), readers_(readers), load_(std::move(load)) {}
    std::vector<VerbSpec> verbs() const override;
    Pending<VerbResult> run(std::vector<std::string> words) override;

private:
    VerbResult list(bool json) const;
    VerbResult show(const std::string& url, bool json) const;
    VerbResult import(const std::vector<std::string>& words);
    Pending<VerbResult> refresh(const std::string& only);

    Host& host_;
    ListStore& store_;
    Flights& flights_;
    Readers& readers_;
    std::function<void()> load_;
};

}  // namespace postern::crl
