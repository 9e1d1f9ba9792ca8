// The ScriptSet as it is: compiled files, those for all first. Immutable once loaded.
#pragma once

#include <map>
#include <script/library.hpp>
#include <script/script_set.hpp>
#include <set>

namespace postern::script {

class LoadedSet : public ScriptSet {
public:
    bool has_partner(std::string_view entry) const override { return by_partner.contains(entry); }
    std::vector<std::string> files() const override;

    bool listens(Event event) const override { return events.contains(event); }

    const std::vector<TimerPlace>& timers() const override { return all_timers; }

    std::set<Event> events;  // that any of them handles
    std::vector<TimerPlace> all_timers;
    Library library;
    std::vector<ScriptFile> scripts;
    std::size_t for_all = 0;  // that many of them run for every transaction
    std::map<std::string, std::size_t, std::less<>> by_partner;
};

// One file alone, as the folder would load it; for an entry where `of_partner`. For tests of scripts.
std::shared_ptr<LoadedSet> load_one(const std::string& path, bool of_partner,
                                    std::vector<config::ConfigProblem>& problems);

// "a.lua" of "a_test.lua", or empty. No domain holds an underscore, so no partner's script is taken for a test.
std::string tested_by(std::string_view file_name);

}  // namespace postern::script
