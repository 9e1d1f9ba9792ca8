#include <sys/resource.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <logging/line.hpp>
#include <logging/show.hpp>
#include <logging/writer.hpp>
#include <postern/testing/fake_host.hpp>

using namespace postern;
using namespace postern::logging;

namespace {

ProtocolRecord record(ProtocolEvent event, std::string data, std::string context = {}) {
    ProtocolRecord one;
    one.time = Time(std::chrono::milliseconds(1156804673323));
    one.connector = "Inet";
    one.session = "08C895F533E837EC";
    one.local = "192.0.2.1:25";
    one.remote = "198.51.100.7:40000";
    one.event = event;
    one.data = std::move(data);
    one.context = std::move(context);
    return one;
}

std::string contents(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

struct World {
    World() {
        settings.folder = folder.path("log");
        host.settings_node.children.push_back({"folder", settings.folder, {}, "", 0});
        writer.configure(settings);
    }
    std::vector<std::string> files(const std::string& kind = "receive") const {
        return log_files(settings.folder + "/" + kind);
    }
    test::TemporaryFolder folder;
    test::FakeHost host;
    Settings settings;
    Writer writer{host};
    LogVerbs verbs{host};
};

}  // namespace

TEST_CASE("a record is one CSV line in the order of the fields", "[logging]") {
    CHECK(to_line(record(ProtocolEvent::received, "EHLO edgedns3")) ==
          "2006-08-28T22:37:53.323Z,Inet,08C895F533E837EC,0,192.0.2.1:25,198.51.100.7:40000,<,EHLO edgedns3,\r\n");
    CHECK(to_line(record(ProtocolEvent::information, "CN=a, O=\"b\"", "Certificate subject"))
              .find(",*,\"CN=a, O=\"\"b\"\"\",Certificate subject\r\n") != std::string::npos);
}

TEST_CASE("nobody forges a line: controls and what is no UTF-8 are escaped", "[logging]") {
    const auto line =
        to_line(record(ProtocolEvent::received, "HELO a\r\n2006,forged\x1b[2J\x80\xc3\xbc\xc2\x9b\xed\xa0\x80"));
    CHECK(line.find('\n') == line.size() - 1);
    CHECK(line.find("\"HELO a\\x0d\\x0a2006,forged\\x1b[2J\\x80\xc3\xbc\\xc2\\x9b\\xed\\xa0\\x80\"") !=
          std::string::npos);
}

TEST_CASE("what was written is read back column by column", "[logging]") {
    const auto columns = columns_of(to_line(record(ProtocolEvent::sent, "250 \"x\", y", "a,b")));
    REQUIRE(columns);
    CHECK((*columns)[7] == "250 \"x\", y");
    CHECK((*columns)[8] == "a,b");
    CHECK_FALSE(columns_of("#Fields: date-time"));
    CHECK_FALSE(columns_of("2006,cut off"));
}

TEST_CASE("a file begins with its head, receive and send apart", "[logging]") {
    World world;
    auto out = record(ProtocolEvent::sent, "QUIT");
    out.outbound = true;
    world.writer.protocol({record(ProtocolEvent::received, "QUIT"), out});
    REQUIRE(world.files().size() == 1);
    REQUIRE(world.files("send").size() == 1);
    const auto text = contents(world.files().front());
    CHECK(text.starts_with("#Software: Postern\r\n#Version: "));
    CHECK(text.find("#Log-type: SMTP Receive Protocol Log\r\n#Date: ") != std::string::npos);
    CHECK(text.find("#Fields: date-time,connector-id,session-id,sequence-number,local-endpoint,remote-endpoint,event,"
                    "data,context\r\n") != std::string::npos);
    CHECK(contents(world.files("send").front()).find("SMTP Send Protocol Log") != std::string::npos);
}

TEST_CASE("a file that is full is followed by the next, and the oldest go", "[logging]") {
    World world;
    world.settings.max_size = 4096;
    world.settings.max_directory = 20000;
    world.writer.configure(world.settings);
    for (int i = 0; i < 1000; ++i)
        world.writer.protocol({record(ProtocolEvent::received, "NOOP " + std::to_string(i))});
    const auto files = world.files();
    CHECK(files.size() >= 3);
    std::uintmax_t total = 0;
    for (const auto& file : files) {
        CHECK(std::filesystem::file_size(file) <= 4096);
        total += std::filesystem::file_size(file);
    }
    CHECK(total <= 20000);
    CHECK(contents(files.back()).find("NOOP 999") != std::string::npos);
}

TEST_CASE("a new day is a new file, and what is too old goes", "[logging]") {
    World world;
    world.settings.max_age = std::chrono::hours(24 * 5);
    world.writer.configure(world.settings);
    world.writer.protocol({record(ProtocolEvent::received, "one")});
    world.host.set_clock(world.host.now() + std::chrono::hours(24));
    world.writer.protocol({record(ProtocolEvent::received, "two")});
    CHECK(world.files().size() == 2);
    world.host.set_clock(world.host.now() + std::chrono::hours(24 * 10));
    world.writer.protocol({record(ProtocolEvent::received, "three")});
    REQUIRE(world.files().size() == 1);
    CHECK(contents(world.files().front()).find("three") != std::string::npos);
}

TEST_CASE("a line cut by a crash is taken back before the next is written", "[logging]") {
    World world;
    world.writer.protocol({record(ProtocolEvent::received, "whole")});
    const auto path = world.files().front();
    std::ofstream(path, std::ios::app) << "2006-08-28T22:37:53.323Z,Inet,cut";
    Writer again(world.host);
    again.configure(world.settings);
    again.protocol({record(ProtocolEvent::received, "after")});
    const auto text = contents(path);
    CHECK(text.find("cut") == std::string::npos);
    CHECK(text.find("whole") != std::string::npos);
    CHECK(text.find("after") != std::string::npos);
}

TEST_CASE("a disk that takes nothing stops logging, not mail, and logging resumes by itself", "[logging]") {
    World world;
    world.writer.protocol({record(ProtocolEvent::received, "before")});
    const auto path = world.files().front();
    const auto size = std::filesystem::file_size(path);
    // The kernel refuses octets beyond this file size: what a full disk does.
    std::signal(SIGXFSZ, SIG_IGN);
    rlimit old{};
    ::getrlimit(RLIMIT_FSIZE, &old);
    const rlimit tight{size + 10, old.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &tight);
    world.writer.protocol({record(ProtocolEvent::received, "lost"), record(ProtocolEvent::received, "lost too")});
    ::setrlimit(RLIMIT_FSIZE, &old);
    CHECK(world.host.counted["postern_log_write_failures_total{}"] == 2);
    CHECK(world.host.alarms.size() == 1);
    CHECK(std::filesystem::file_size(path) == size);
    world.writer.protocol({record(ProtocolEvent::received, "again")});
    CHECK(world.host.alarms.empty());
    CHECK(contents(path).find("again") != std::string::npos);
}

TEST_CASE("a conversation is shown as the paper prints it", "[logging]") {
    World world;
    auto noise = record(ProtocolEvent::received, "EHLO somebody.else");
    noise.session = "0000000000000001";
    world.writer.protocol({
        record(ProtocolEvent::connected, ""),
        record(ProtocolEvent::sent, "220 edgea36"),
        noise,
        record(ProtocolEvent::received, "EHLO edgedns3"),
        record(ProtocolEvent::information, "", "Sending certificate"),
        record(ProtocolEvent::information, "CN=edgea36", "Certificate subject"),
        record(ProtocolEvent::information, "08C895F533E837EC;2006-08-28T22:37:53.323Z;1", "receiving message"),
        record(ProtocolEvent::disconnected, ""),
    });
    const auto shown = *test::wait_for(world.verbs.run({"log", "show", "08C895F533E837EC"}));
    CHECK(shown.status == 0);
    CHECK(shown.out ==
          ">220 edgea36\n<EHLO edgedns3\n*Sending certificate\n*CN=edgea36, Certificate subject\n"
          "*08C895F533E837EC;2006-08-28T22:37:53.323Z;1, receiving message\n");
    CHECK(test::wait_for(world.verbs.run({"log", "list"}))->out.find("08C895F533E837EC  receive  Inet") !=
          std::string::npos);
    const auto missing = *test::wait_for(world.verbs.run({"log", "show", "FFFF"}));
    CHECK(missing.status == 1);
    CHECK(missing.err.find("protocol_logging_level") != std::string::npos);
    CHECK(test::wait_for(world.verbs.run({"log", "shwo"}))->status == 2);
}
