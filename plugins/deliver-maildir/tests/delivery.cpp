// Deliveries into real folders, also into full and forbidden ones.
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <deliver-maildir/maildir.hpp>
#include <fstream>
#include <postern/testing/fake_host.hpp>

using namespace postern;
using namespace postern::maildir;
namespace fs = std::filesystem;

namespace {

class Text final : public MessageSource {
public:
    explicit Text(std::string text) : text_(std::move(text)), claimed_(text_.size()) {}
    Text(std::string text, std::uint64_t claimed) : text_(std::move(text)), claimed_(claimed) {}
    Outcome<std::uint64_t> size() override { return claimed_; }
    Outcome<std::size_t> read_at(std::uint64_t offset, std::span<std::uint8_t> into) override {
        if (broken) return Failure{"spool-damaged", "the disk does not give it back"};
        if (offset >= text_.size()) return std::size_t{0};
        const auto count = std::min(into.size(), text_.size() - static_cast<std::size_t>(offset));
        std::memcpy(into.data(), text_.data() + offset, count);
        return count;
    }
    bool broken = false;

private:
    std::string text_;
    std::uint64_t claimed_;
};

DeliveryRequest to(const std::string& local, const std::string& domain, const std::string& text = "Hello.\r\n") {
    DeliveryRequest request;
    request.recipient = local + "@" + domain;
    request.local_part = local;
    request.domain = domain;
    request.message = make_ref<Text>(text);
    return request;
}

struct Fixture {
    test::TemporaryFolder temporary;
    std::string root = temporary.path("mail");
    test::FakeHost host;
    Maildir maildir{host};
    Fixture() { maildir.use(root); }
    DeliveryResult deliver(DeliveryRequest request) {
        auto result = maildir.deliver(std::move(request)).take();
        REQUIRE(result);
        return *result;
    }
    std::vector<std::string> texts(const std::string& box, const std::string& part = "new") const {
        std::vector<std::string> all;
        std::error_code none;
        for (const auto& entry : fs::directory_iterator(root + "/" + box + "/" + part, none)) {
            std::ifstream file(entry.path(), std::ios::binary);
            all.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
        }
        return all;
    }
    std::size_t files() const {
        std::size_t count = 0;
        for (const auto& entry : fs::recursive_directory_iterator(temporary.path())) count += entry.is_regular_file();
        return count;
    }
};

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

// In a process of its own, that may give up rights, limit itself or mount; what `work` returns comes back.
std::string in_child(const std::function<std::string()>& work) {
    int ends[2];
    if (::pipe(ends) != 0) throw std::runtime_error("no pipe");
    const auto child = ::fork();
    if (child == 0) {
        const auto text = work();
        (void)!::write(ends[1], text.data(), text.size());
        ::_exit(0);
    }
    ::close(ends[1]);
    std::string text;
    char buffer[4096];
    for (ssize_t got; (got = ::read(ends[0], buffer, sizeof buffer)) > 0;)
        text.append(buffer, static_cast<std::size_t>(got));
    ::close(ends[0]);
    ::waitpid(child, nullptr, 0);
    return text;
}

std::string told(Maildir& maildir, DeliveryRequest request) {
    auto result = maildir.deliver(std::move(request)).take();
    if (!result) return result.failure.text;
    return (result->kind == VerdictKind::defer ? "defer " : "other ") + result->status + " " + result->text;
}

}  // namespace

TEST_CASE("a message arrives whole in new/, and nothing is left in tmp/", "[maildir]") {
    Fixture at;
    const std::string big(300000, 'x');
    const auto result = at.deliver(to("Bob", "contoso.com", big));
    CHECK(result.kind == VerdictKind::proceed);
    CHECK(result.status == "2.0.0");
    CHECK(result.text == "delivered to " + at.root + "/contoso.com/bob");
    CHECK(at.texts("contoso.com/bob") == std::vector<std::string>{big});
    CHECK(at.texts("contoso.com/bob", "tmp").empty());
    CHECK(fs::is_directory(at.root + "/contoso.com/bob/cur"));
}

TEST_CASE("mailboxes are nobody else's to read", "[maildir]") {
    Fixture at;
    at.deliver(to("bob", "contoso.com"));
    for (const auto& entry : fs::recursive_directory_iterator(at.root)) {
        INFO(entry.path());
        CHECK((entry.status().permissions() & (fs::perms::group_all | fs::perms::others_all)) == fs::perms::none);
    }
    CHECK((fs::status(at.root).permissions() & fs::perms::others_all) == fs::perms::none);
}

TEST_CASE("recipients that differ by case share a mailbox", "[maildir]") {
    Fixture at;
    at.deliver(to("BOB", "contoso.com", "one"));
    at.deliver(to("bob", "contoso.com", "two"));
    CHECK(at.texts("contoso.com/bob").size() == 2);
}

TEST_CASE("no recipient leads out of the folder", "[maildir]") {
    Fixture at;
    const std::string nul("bob\0/../eve", 11);
    for (const std::string& bad :
         {std::string(".."), std::string("."), std::string("../eve"), std::string("a/../../eve"),
          std::string("/etc/cron.d/eve"), std::string("a/b"), std::string("a\\b"), nul, std::string(1, '\0'),
          std::string(), std::string(".hidden"), std::string("a b"), std::string("a\nb"), std::string("a\x7f"),
          std::string(256, 'a')}) {
        INFO(bad);
        for (const auto& request : {to(bad, "contoso.com"), to("bob", bad)}) {
            const auto result = at.deliver(request);
            CHECK(result.kind == VerdictKind::reject);
            CHECK(result.status == "5.1.3");
        }
    }
    CHECK(fs::is_empty(at.root));
    CHECK(at.files() == 0);
    CHECK(at.host.alarms.empty());
}

TEST_CASE("the longest names that are allowed do arrive", "[maildir]") {
    Fixture at;
    const std::string domain =
        std::string(63, 'a') + "." + std::string(63, 'b') + "." + std::string(63, 'c') + "." + std::string(61, 'd');
    CHECK(at.deliver(to(std::string(64, 'l'), domain)).kind == VerdictKind::proceed);
    CHECK(at.deliver(to("new", "cur")).kind == VerdictKind::proceed);
}

TEST_CASE("a name that is taken in tmp/ or new/ is never overwritten", "[maildir]") {
    Fixture at;
    at.maildir.name = [] { return std::string("same"); };
    CHECK(at.deliver(to("bob", "contoso.com", "first")).kind == VerdictKind::proceed);
    const auto second = at.deliver(to("bob", "contoso.com", "second"));
    CHECK(second.kind == VerdictKind::defer);
    CHECK(at.texts("contoso.com/bob") == std::vector<std::string>{"first"});
    CHECK(at.texts("contoso.com/bob", "tmp").empty());
    // The other one's unfinished file is not ours to remove.
    std::ofstream(at.root + "/contoso.com/bob/tmp/taken") << "half";
    at.maildir.name = [] { return std::string("taken"); };
    CHECK(at.deliver(to("bob", "contoso.com", "third")).kind == VerdictKind::defer);
    CHECK(at.texts("contoso.com/bob", "tmp") == std::vector<std::string>{"half"});
}

TEST_CASE("names of messages are all different", "[maildir]") {
    Fixture at;
    for (int i = 0; i < 200; ++i) CHECK(at.deliver(to("bob", "contoso.com")).kind == VerdictKind::proceed);
    CHECK(at.texts("contoso.com/bob").size() == 200);
    for (const auto& entry : fs::directory_iterator(at.root + "/contoso.com/bob/new"))
        CHECK(entry.path().filename().string().find(':') == std::string::npos);
}

TEST_CASE("a message that ends early or cannot be read is not delivered in part", "[maildir]") {
    Fixture at;
    auto cut = to("bob", "contoso.com");
    cut.message = make_ref<Text>("half", 8);
    const auto result = at.deliver(cut);
    CHECK(result.kind == VerdictKind::defer);
    CHECK(has(result.text, "shorter"));
    auto broken = to("bob", "contoso.com");
    const auto text = make_ref<Text>("text");
    text->broken = true;
    broken.message = text;
    CHECK(has(at.deliver(broken).text, "the disk does not give it back"));
    CHECK(at.files() == 0);
}

TEST_CASE("the folder is made when the settings are taken up, and said so", "[maildir]") {
    Fixture at;
    CHECK(at.host.logged == std::vector<std::string>{"maildir-created: " + at.root});
    at.maildir.use(at.root);
    CHECK(at.host.logged.size() == 1);
}

TEST_CASE("a folder that went away is not made again under a missing mount: the mail waits", "[maildir]") {
    Fixture at;
    fs::remove(at.root);
    const auto result = at.deliver(to("bob", "contoso.com"));
    CHECK(result.kind == VerdictKind::defer);
    CHECK(result.status == "4.3.0");
    CHECK(has(result.text, at.root + ": No such file or directory"));
    CHECK(has(result.text, "not mounted"));
    CHECK_FALSE(fs::exists(at.root));
    CHECK(at.host.alarms.contains("maildir-unusable " + at.root));
    fs::create_directory(at.root);
    CHECK(at.deliver(to("bob", "contoso.com")).kind == VerdictKind::proceed);
    CHECK(at.host.alarms.empty());
}

TEST_CASE("a folder that cannot be made is an alarm at once", "[maildir]") {
    Fixture at;
    at.maildir.use(at.root + "/a/b");
    CHECK(at.host.alarms.contains("maildir-unusable " + at.root + "/a/b"));
    at.maildir.use(at.root);
    CHECK(at.host.alarms.empty());
}

TEST_CASE("a file where a folder should be defers and says what to do", "[maildir]") {
    Fixture at;
    fs::create_directory(at.root + "/contoso.com");
    std::ofstream(at.root + "/contoso.com/bob") << "a file";
    const auto result = at.deliver(to("bob", "contoso.com"));
    CHECK(result.kind == VerdictKind::defer);
    CHECK(has(result.text, "move it aside"));
}

TEST_CASE("one broken mailbox does not make the alarm come and go with each message to another", "[maildir]") {
    Fixture at;
    const auto start = at.host.now();
    at.host.set_clock(start);
    fs::create_directory(at.root + "/contoso.com");
    std::ofstream(at.root + "/contoso.com/bob") << "a file";
    at.deliver(to("bob", "contoso.com"));
    at.deliver(to("eve", "contoso.com"));
    CHECK(at.host.alarms.size() == 1);
    at.host.set_clock(start + std::chrono::minutes(2));
    at.deliver(to("eve", "contoso.com"));
    CHECK(at.host.alarms.empty());
}

TEST_CASE("a folder that may not be written defers and names who must be let in", "[maildir]") {
    Fixture at;
    ::chmod(at.temporary.path().c_str(), 0755);
    fs::permissions(at.root, fs::perms(0555));
    const auto text = in_child([&] {
        if (::geteuid() == 0 && ::setresuid(65534, 65534, 65534) != 0) return std::string("cannot give up root");
        return told(at.maildir, to("bob", "contoso.com"));
    });
    CHECK(has(text, "defer 4.3.0 " + at.root + "/contoso.com: Permission denied; let uid "));
    fs::permissions(at.root, fs::perms(0700));
    CHECK(at.files() == 0);
}

TEST_CASE("a full disk defers with 4.3.1 and leaves nothing behind", "[maildir]") {
    Fixture at;
    const auto text = in_child([&]() -> std::string {
        const bool mounted = ::unshare(::geteuid() == 0 ? CLONE_NEWNS : CLONE_NEWNS | CLONE_NEWUSER) == 0 &&
                             ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
                             ::mount("tmpfs", at.root.c_str(), "tmpfs", 0, "size=256k,mode=0700") == 0;
        if (!mounted) return "no tmpfs";
        const auto big = told(at.maildir, to("bob", "contoso.com", std::string(400000, 'x')));
        const auto small = told(at.maildir, to("bob", "contoso.com", "small"));
        return big + "\n" + small + "\n" + std::to_string(at.files());
    });
    if (text == "no tmpfs") {
        WARN("this test may not mount a small file system here");
        return;
    }
    CHECK(has(text, "defer 4.3.1 " + at.root + "/contoso.com/bob/tmp/"));
    CHECK(has(text, "No space left on device; make room"));
    CHECK(text.ends_with("\nother 2.0.0 delivered to " + at.root + "/contoso.com/bob\n1"));
}

TEST_CASE("a file that may grow no further defers and leaves nothing behind", "[maildir]") {
    Fixture at;
    const auto text = in_child([&] {
        ::signal(SIGXFSZ, SIG_IGN);
        const rlimit most{100000, 100000};
        ::setrlimit(RLIMIT_FSIZE, &most);
        return told(at.maildir, to("bob", "contoso.com", std::string(400000, 'x')));
    });
    CHECK(has(text, "defer 4.3.0 " + at.root + "/contoso.com/bob/tmp/"));
    CHECK(has(text, "File too large"));
    CHECK(at.files() == 0);
}

TEST_CASE("several threads deliver into one mailbox while the settings change", "[maildir]") {
    Fixture at;
    std::vector<std::thread> threads;
    std::atomic<int> good{0};
    for (int i = 0; i < 4; ++i)
        threads.emplace_back([&] {
            for (int n = 0; n < 25; ++n) {
                auto result = at.maildir.deliver(to("bob", "contoso.com")).take();
                good += result && result->kind == VerdictKind::proceed;
            }
        });
    for (int n = 0; n < 25; ++n) at.maildir.use(n % 2 ? at.root : at.root + "2");
    for (auto& one : threads) one.join();
    CHECK(good == 100);
    CHECK(at.files() == 100);
}
