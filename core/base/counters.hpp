// The counters and gauges of one process. Every name stands in the catalogue with its explanation for the operator;
// the counters plugin prints them, tests read them. Any thread.
#pragma once

#include <map>
#include <mutex>
#include <postern/host.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace postern {

struct CounterEntry {
    std::string_view name;
    CounterKind kind;
    std::string_view explanation;
};

// What the core counts; a plugin's own names are added as they come, with the plugin as explanation.
std::span<const CounterEntry> counter_catalogue();
std::string counter_page();  // docs/counters.md

class Counters {
public:
    // Of one family. Labels come from configuration, files and peers; what is beyond is counted as overflow="true".
    static constexpr std::size_t most_series = 10000;

    Counters();
    void add(std::string_view name, std::string_view labels = {}, double amount = 1);
    void set(std::string_view name, std::string_view labels, double value);  // NaN: what it measured is gone
    double value(std::string_view name, std::string_view labels = {}) const;
    std::vector<CounterSample> samples() const;

private:
    struct Family {
        CounterKind kind;
        std::string explanation;
        std::map<std::string, double, std::less<>> values;
    };
    Family& family(std::string_view name, CounterKind kind);

    mutable std::mutex mutex_;
    std::map<std::string, Family, std::less<>> families_;
};

// `domain="woodgrovebank.com",reason="expired"`, values escaped as the Prometheus text format wants it.
std::string label(std::string_view name, std::string_view value);
std::string labels(std::initializer_list<std::pair<std::string_view, std::string_view>> pairs);

}  // namespace postern
