#include <algorithm>
#include <config/keys.hpp>
#include <config/understood.hpp>
#include <config/values.hpp>

namespace postern::config {

namespace {

// What one kind of value is, however it was written: 5min is 300s.
std::string normal(KeyKind kind, const std::string& value) {
    if (kind == KeyKind::duration)
        if (const auto seconds = parse_duration(value)) return std::to_string(seconds->count());
    if (kind == KeyKind::size)
        if (const auto octets = parse_size(value)) return std::to_string(*octets);
    if (kind == KeyKind::number)
        if (const auto number = parse_number(value)) return std::to_string(*number);
    return value;
}

// By the name of the key, and what an URL may carry: the text of either is nobody's to read here.
std::string without_secrets(const std::string& key, const std::string& value) {
    constexpr std::string_view words[] = {"password", "passphrase", "secret", "token", "credentials", "pin"};
    for (const auto word : words)
        if (key == word || key.ends_with("_" + std::string(word))) return value.empty() ? value : "(not shown)";
    const auto scheme = value.find("://");
    if (scheme == std::string::npos) return value;
    const auto at = value.substr(0, value.find('/', scheme + 3)).rfind('@');
    return at == std::string::npos || at < scheme ? value
                                                  : value.substr(0, scheme + 3) + "(not shown)" + value.substr(at);
}

class Walk {
public:
    Walk(const SettingsNode& tree, const PluginKeys& plugin_keys) : top_(tree), plugin_keys_(plugin_keys) {}
    std::vector<Understood> all() {
        block(top_, "");
        return std::move(all_);
    }

private:
    struct Inside {
        Inside(Walk& one, std::string name) : walk(one) { walk.blocks_.push_back(std::move(name)); }
        ~Inside() { walk.blocks_.pop_back(); }
        Walk& walk;
    };

    Understood& add(std::string key, std::string value, const SettingsNode* node) {
        Understood one{blocks_, key, without_secrets(key, value), false, node != nullptr, restart_, {}, 0};
        if (node) one.file = node->file, one.line = node->line;
        return all_.emplace_back(std::move(one));
    }

    void block(const SettingsNode& node, std::string_view where) {
        for (const auto& key : keys())
            if (key.where == where) one_key(node, key);
    }

    void one_key(const SettingsNode& in, const Key& key) {
        if (key.where.empty()) restart_ = key.restart;
        const std::string name(key.name);
        if (!in.find(name)) return left_out(in, key);
        std::size_t number = 0;
        for (const auto& node : in.children) {
            if (node.key != name) continue;
            ++number;
            if (key.kind == KeyKind::list) list(node);
            else if (key.kind == KeyKind::block) named_block(node, key, number);
            else value(node, key.kind, std::string(key.otherwise));
        }
    }

    void value(const SettingsNode& node, KeyKind kind, const std::string& otherwise) {
        add(node.key, node.value, &node).changed = normal(kind, node.value) != normal(kind, otherwise);
    }

    void list(const SettingsNode& node) {
        const Inside inside(*this, node.key);
        for (const auto& one : node.children) add(one.key, one.value, &one).entry = true;
    }

    // Blocks of one kind without a name (exception) are told apart by their number.
    void named_block(const SettingsNode& node, const Key& key, std::size_t number) {
        if (node.children.empty() && !key.many && !node.value.empty()) return value(node, KeyKind::text, {});
        auto name = node.key + (node.value.empty() ? "" : " " + node.value);
        if (key.many && node.value.empty() && number > 1) name += " #" + std::to_string(number);
        const Inside inside(*this, name);
        if (key.many) add({}, {}, &node);
        if (key.name == "plugins") return plugins(node);
        if (key.name != "trusted_servers") return block(node, key.name);
        for (const auto& server : node.children) {
            const Inside server_inside(*this, server.key);
            add({}, {}, &server);
            block(server, "trusted_server");
        }
    }

    // Defaults, also inside blocks that are left out; of blocks with a name there is none then.
    void left_out(const SettingsNode& in, const Key& key) {
        const std::string name(key.name);
        if (key.kind == KeyKind::block && !key.many) {
            const Inside inside(*this, name);
            return block({}, name);
        }
        // What these mean depends on another key.
        if ((key.name == "routing" && in.find("smart_host")) || (key.name == "name_rule" && in.find("names"))) return;
        auto otherwise = std::string(key.otherwise);
        const bool ours = key.name == "authserv_id" || (key.name == "fqdn" && !key.where.empty());
        if (ours) otherwise = top_.text("fqdn");
        if (!otherwise.empty()) add(name, otherwise, nullptr);
    }

    void plugins(const SettingsNode& node) {
        for (const auto& one : node.children) {
            const Inside inside(*this, one.key);
            add({}, {}, &one);
            const auto specs = plugin_keys_(one.key);
            for (const auto& child : one.children) {
                const auto spec = std::ranges::find(specs, child.key, &KeySpec::name);
                if (spec == specs.end() || !child.children.empty()) as_written(child);
                else value(child, spec->kind, spec->otherwise);
            }
            for (const auto& spec : specs)
                if (!one.find(spec.name) && !spec.otherwise.empty()) add(spec.name, spec.otherwise, nullptr);
        }
    }

    void as_written(const SettingsNode& node) {
        if (node.children.empty()) return void(add(node.key, node.value, &node));
        const Inside inside(*this, node.key + (node.value.empty() ? "" : " " + node.value));
        for (const auto& one : node.children) {
            as_written(one);
            if (one.children.empty() && one.value.empty()) all_.back().entry = true;
        }
    }

    const SettingsNode& top_;
    const PluginKeys& plugin_keys_;
    std::vector<std::string> blocks_;
    bool restart_ = false;
    std::vector<Understood> all_;
};

std::string quoted(const std::string& text) {
    if (!text.empty() && text.find_first_of(" \t;{}\"\\") == std::string::npos) return text;
    std::string made = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') made += '\\';
        made += c;
    }
    return made + "\"";
}

std::string indent(std::size_t depth) { return std::string(depth * 2, ' '); }

// "partner woodgrovebank.com" as it is written; the number behind "exception #2" is ours.
std::string opening(const std::string& block) {
    const auto name = block.substr(0, block.find(" #"));
    const auto blank = name.find(' ');
    return blank == std::string::npos ? quoted(name) : name.substr(0, blank) + " " + quoted(name.substr(blank + 1));
}

}  // namespace

std::string Understood::path() const {
    std::string text;
    for (const auto& block : blocks) text += (text.empty() ? "" : ".") + block;
    if (key.empty()) return text;
    return text.empty() ? key : text + (entry ? ": " : ".") + key;
}

std::vector<Understood> understood(const SettingsNode& tree, const PluginKeys& plugin_keys) {
    return Walk(tree, plugin_keys).all();
}

std::string info_text(const std::vector<Understood>& all) {
    std::string text;
    std::vector<std::string> open;
    const auto close_to = [&](std::size_t depth) {
        for (; open.size() > depth; open.pop_back()) text += indent(open.size() - 1) + "}\n";
    };
    for (const auto& one : all) {
        const auto common = std::ranges::mismatch(open, one.blocks).in1 - open.begin();
        close_to(static_cast<std::size_t>(common));
        const auto place = one.file.empty() ? std::string("default") : one.file + ":" + std::to_string(one.line);
        while (open.size() < one.blocks.size()) {
            text += indent(open.size()) + opening(one.blocks[open.size()]) + " {";
            open.push_back(one.blocks[open.size()]);
            const bool itself = one.key.empty() && open.size() == one.blocks.size();
            text += itself ? "  ; " + place + "\n" : "\n";
        }
        if (one.key.empty()) continue;
        text += indent(open.size()) + (one.entry ? quoted(one.key) : one.key);
        if (!one.entry || !one.value.empty()) text += " " + quoted(one.value);
        text += "  ; " + place + "\n";
    }
    close_to(0);
    return text;
}

std::vector<Difference> differences(const std::vector<Understood>& before, const std::vector<Understood>& after) {
    std::multimap<std::string, const Understood*> old;
    for (const auto& one : before) old.emplace(one.path(), &one);
    std::vector<Difference> found;
    for (const auto& one : after) {
        const auto known = old.find(one.path());
        const auto* was = known == old.end() ? nullptr : known->second;
        if (known != old.end()) old.erase(known);
        // A default that came with a new block is no change of its own.
        if (was ? was->value != one.value && (was->changed || one.changed) : !one.file.empty())
            found.push_back({was, &one});
    }
    for (const auto& one : before) {
        const auto [first, last] = old.equal_range(one.path());
        if (!one.file.empty() && std::any_of(first, last, [&](const auto& left) { return left.second == &one; }))
            found.push_back({&one, nullptr});
    }
    return found;
}

}  // namespace postern::config
