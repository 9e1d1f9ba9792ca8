#include <stdlib.h>

#include <boost/property_tree/info_parser.hpp>
#include <catch2/catch.hpp>
#include <config/tree.hpp>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>

using namespace postern;
namespace pt = boost::property_tree;

namespace {

bool same(const pt::ptree& tree, const SettingsNode& node) {
    if (tree.size() != node.children.size()) return false;
    auto child = node.children.begin();
    for (const auto& [key, subtree] : tree) {
        if (key != child->key || subtree.data() != child->value || !same(subtree, *child)) return false;
        ++child;
    }
    return true;
}

// What PropertyTree makes of the whole text at once.
bool agrees(const std::string& text, const SettingsNode& top) {
    try {
        std::istringstream stream(text);
        pt::ptree tree;
        pt::read_info(stream, tree);
        return same(tree, top);
    } catch (const pt::info_parser_error&) {
        return false;
    }
}

}  // namespace

// read_tree asks PropertyTree only about pieces that are not plain; here it is asked about everything.
TEST_CASE("every text that is taken means to PropertyTree what it means to us", "[config]") {
    char name[] = "/tmp/postern-tree-XXXXXX";
    const std::string folder = ::mkdtemp(name), file = folder + "/postern.conf";
    const char* pieces[] = {"a",   "b c", " ",       "  ", "\n", "\n",       "\n",    " {\n",
                            "}\n", "{\n", "\"x y\"", "\"", "\\", ";",        " ;",    "\t",
                            "\r",  "}",   "\v",      "{",  "#x", "\xc3\xa4", "k v\n", "n {\n  l\n}\n"};
    std::mt19937 random(7);
    unsigned taken = 0;
    for (int round = 0; round < 5000; ++round) {
        std::string text;
        for (auto count = random() % 12; count > 0; --count) text += pieces[random() % std::size(pieces)];
        std::ofstream(file, std::ios::binary) << text;
        std::vector<config::ConfigProblem> problems;
        const auto top = config::read_tree(file, problems);
        if (!problems.empty()) continue;
        ++taken;
        INFO(text);
        REQUIRE(agrees(text, top));
    }
    CHECK(taken > 700);
    std::filesystem::remove_all(folder);
}
