// What reaches the disk, in which order, and what a failing flush does: this program's own fsync and linkat stand in
// front of the C library's, note what they are asked, and fail when told to.
#include <limits.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <cstring>
#include <deliver-maildir/maildir.hpp>
#include <postern/testing/fake_host.hpp>

namespace {

struct Watch {
    std::vector<std::string> seen;
    std::string fails;  // the step that fails with EIO
};
thread_local Watch* watch = nullptr;

std::string path_of(int descriptor) {
    char path[PATH_MAX];
    const auto size = ::readlink(("/proc/self/fd/" + std::to_string(descriptor)).c_str(), path, sizeof path);
    return {path, static_cast<std::size_t>(size > 0 ? size : 0)};
}

bool allowed(const std::string& step) {
    if (!watch) return true;
    watch->seen.push_back(step);
    if (watch->fails.empty() || !step.ends_with(watch->fails)) return true;
    errno = EIO;
    return false;
}

}  // namespace

extern "C" int fsync(int descriptor) {
    if (!allowed("fsync " + path_of(descriptor))) return -1;
    return static_cast<int>(::syscall(SYS_fsync, descriptor));
}

extern "C" int linkat(int from, const char* name, int to, const char* new_name, int flags) noexcept {
    if (!allowed("link " + path_of(from) + "/" + name + " " + path_of(to) + "/" + new_name)) return -1;
    return static_cast<int>(::syscall(SYS_linkat, from, name, to, new_name, flags));
}

namespace {

using namespace postern;
using namespace postern::maildir;

class Text final : public MessageSource {
public:
    Outcome<std::uint64_t> size() override { return text_.size(); }
    Outcome<std::size_t> read_at(std::uint64_t offset, std::span<std::uint8_t> into) override {
        if (offset >= text_.size()) return std::size_t{0};
        std::memcpy(into.data(), text_.data() + offset, text_.size() - offset);
        return text_.size() - static_cast<std::size_t>(offset);
    }

private:
    std::string text_ = "Hello.\r\n";
};

struct Watched {
    test::TemporaryFolder temporary;
    std::string root = temporary.path("mail");
    test::FakeHost host;
    Maildir maildir{host};
    Watch noted;
    Watched() {
        maildir.use(root);
        maildir.name = [] { return std::string("m"); };
    }
    DeliveryResult deliver(const std::string& fails = {}) {
        noted = {{}, fails};
        DeliveryRequest request;
        request.local_part = "bob";
        request.domain = "contoso.com";
        request.message = make_ref<Text>();
        watch = &noted;
        auto result = maildir.deliver(std::move(request)).take();
        watch = nullptr;
        REQUIRE(result);
        return *result;
    }
    bool there(const std::string& name) const { return std::filesystem::exists(root + "/contoso.com/bob/" + name); }
};

}  // namespace

TEST_CASE("the message is flushed before its name appears, and the name before it is delivered", "[maildir]") {
    Watched at;
    CHECK(at.deliver().kind == VerdictKind::proceed);
    const auto box = at.root + "/contoso.com/bob";
    CHECK(at.noted.seen ==
          std::vector<std::string>{"fsync " + at.root, "fsync " + at.root + "/contoso.com", "fsync " + box,
                                   "fsync " + box, "fsync " + box, "fsync " + box + "/tmp/m",
                                   "link " + box + "/tmp/m " + box + "/new/m", "fsync " + box + "/new"});
}

TEST_CASE("folders that are there are not flushed again", "[maildir]") {
    Watched at;
    at.deliver();
    std::filesystem::remove(at.root + "/contoso.com/bob/new/m");
    CHECK(at.deliver().kind == VerdictKind::proceed);
    CHECK(at.noted.seen.size() == 3);
}

TEST_CASE("whatever cannot be flushed is not delivered, and not there", "[maildir]") {
    Watched at;
    for (const std::string step : {"/tmp/m", "/new/m", "/new"}) {
        INFO(step);
        const auto result = at.deliver(step);
        CHECK(result.kind == VerdictKind::defer);
        CHECK(result.text.find("Input/output error; the disk is failing") != std::string::npos);
        CHECK_FALSE(at.there("tmp/m"));
        CHECK_FALSE(at.there("new/m"));
    }
    CHECK(at.deliver().kind == VerdictKind::proceed);
    CHECK(at.there("new/m"));
}

TEST_CASE("a folder whose making could not be flushed takes no mail", "[maildir]") {
    Watched at;
    for (const std::string& step : {std::string("/mail"), std::string("/contoso.com"), std::string("/bob")}) {
        INFO(step);
        CHECK(at.deliver(step).kind == VerdictKind::defer);
        CHECK_FALSE(at.there("new/m"));
    }
    CHECK(at.deliver().kind == VerdictKind::proceed);
}
