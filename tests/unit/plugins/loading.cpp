#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <plugins/loader.hpp>
#include <postern/testing/fake_host.hpp>

using namespace postern;
using namespace postern::plugins;

namespace {

const std::string zoo = std::string(POSTERN_BUILD_DIR) + "/zoo/";

std::string refusal_of(const std::string& path, const std::string& name) {
    ::unsetenv("POSTERN_ZOO_CONSTRUCTED");
    const auto loaded = load_file(path, name);
    REQUIRE_FALSE(loaded.has_value());
    CHECK(loaded.error().id == "plugin-refused");
    CHECK(loaded.error().text.find(path) != std::string::npos);
    return loaded.error().text;
}

bool constructed() { return std::getenv("POSTERN_ZOO_CONSTRUCTED") != nullptr; }

}  // namespace

TEST_CASE("a file that is refused by its descriptor has run no code", "[plugins]") {
    struct Row {
        std::string name, says;
    };
    const Row rows[] = {
        {"nothing", "POSTERN_PLUGIN"},        {"wrong-magic", "broken descriptor"},
        {"other-major", "built for SDK"},     {"newer-minor", "built for SDK"},
        {"other-abi", "clang99-libc++-x64"},  {"other-name", "install it as somebody-else.so"},
        {"unique-symbol", "-fno-gnu-unique"},
    };
    for (const auto& row : rows) {
        CAPTURE(row.name);
        CHECK(refusal_of(zoo + row.name + ".so", row.name).find(row.says) != std::string::npos);
        CHECK_FALSE(constructed());
    }
}

TEST_CASE("a plugin without an entry, with open symbols or that throws at birth is named", "[plugins]") {
    CHECK(refusal_of(zoo + "no-entry.so", "no-entry").find("POSTERN_ENTRY") != std::string::npos);
    CHECK(refusal_of(zoo + "unresolved.so", "unresolved").find("ldd -r") != std::string::npos);
    CHECK(refusal_of(zoo + "throws-at-birth.so", "throws-at-birth").find("threw") != std::string::npos);
}

TEST_CASE("a missing file, a folder and what is no shared object are told apart", "[plugins]") {
    const test::TemporaryFolder folder;
    CHECK(refusal_of(folder.path("gone.so"), "gone").find("No such file") != std::string::npos);
    std::filesystem::create_directory(folder.path("folder.so"));
    CHECK(refusal_of(folder.path("folder.so"), "folder").find("no regular file") != std::string::npos);
    std::ofstream(folder.path("text.so")) << "#!/bin/sh\n";
    CHECK(refusal_of(folder.path("text.so"), "text").find("no 64-bit shared object") != std::string::npos);
}

TEST_CASE("a plugin cut off anywhere is refused, never crashed into", "[plugins]") {
    const test::TemporaryFolder folder;
    const auto whole = std::filesystem::file_size(zoo + "misbehaves.so");
    const auto path = folder.path("misbehaves.so");
    // dlopen maps what the headers promise: what the descriptor check lets pass must be whole, so cut inside it only.
    for (std::uintmax_t size = 0; size < whole; size += whole / 50 + 1) {
        std::filesystem::copy_file(zoo + "misbehaves.so", path, std::filesystem::copy_options::overwrite_existing);
        std::filesystem::resize_file(path, size);
        refusal_of(path, "misbehaves");
    }
}

TEST_CASE("what others may write is refused: the file and its folder", "[plugins]") {
    const test::TemporaryFolder folder;
    const auto path = folder.path("misbehaves.so");
    std::filesystem::copy_file(zoo + "misbehaves.so", path);
    ::chmod(path.c_str(), 0757);
    CHECK(refusal_of(path, "misbehaves").find("chmod o-w") != std::string::npos);
    ::chmod(path.c_str(), 0755);
    ::chmod(folder.path().c_str(), 0757);
    CHECK(refusal_of(path, "misbehaves").find("chmod o-w") != std::string::npos);
    ::chmod(folder.path().c_str(), 0755);
    const auto loaded = load_file(path, "misbehaves");
    REQUIRE(loaded.has_value());
    delete loaded->plugin;
}
