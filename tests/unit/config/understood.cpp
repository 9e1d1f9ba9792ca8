// What is understood of a configuration: defaults, places, secrets, and what differs.
#include <catch2/catch.hpp>
#include <config/keys.hpp>
#include <config/tree.hpp>
#include <config/understood.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>

using namespace postern;
using namespace postern::config;

namespace {

struct Written {
    explicit Written(const std::string& text) {
        std::string name = "/tmp/postern-config-XXXXXX";
        if (!::mkdtemp(name.data())) throw std::runtime_error("no folder for the test");
        folder = name;
        file = name + "/postern.conf";
        std::ofstream(file) << text;
    }
    Written(const Written&) = delete;
    Written& operator=(const Written&) = delete;
    ~Written() { std::filesystem::remove_all(folder); }

    std::vector<Understood> all() const {
        std::vector<ConfigProblem> problems;
        const auto tree = read_tree(file, problems);
        REQUIRE(problems.empty());
        return understood(tree, [](const std::string& plugin) {
            if (plugin != "crl") return std::vector<KeySpec>();
            return std::vector<KeySpec>{{"interval", KeyKind::duration, "1h", ""},
                                        {"proxy_password", KeyKind::text, "", ""},
                                        {"ports", KeyKind::list, "", ""}};
        });
    }
    std::string folder, file;
};

const Understood& one(const std::vector<Understood>& all, const std::string& path) {
    for (const auto& each : all)
        if (each.path() == path) return each;
    FAIL("there is no " + path);
    throw 0;
}

constexpr const char* text = R"(fqdn mail1.contoso.com
drain_time 30s
tls_send_domain_secure_list {
  woodgrovebank.com
}
plugins {
  crl {
    proxy_password "a;b"
    ports {
      80
    }
  }
  counters
}
partner woodgrovebank.com {
  exception {
    allow no-tls
    until 2099-01-01
    reason "they move; soon"
  }
  exception {
    allow any-name
    until 2099-01-01
    reason x
  }
}
receive_connector Inet {
  inactivity 300s
  message_size 10M
}
send_connector Internet {
  address_spaces {
    * 1
  }
  smart_host hub.contoso.com
}
)";

}  // namespace

TEST_CASE("every key is there with its value, its place and whether it was changed", "[config][understood]") {
    const Written written(text);
    const auto all = written.all();
    CHECK(one(all, "fqdn").value == "mail1.contoso.com");
    CHECK(one(all, "fqdn").file == written.file);
    CHECK(one(all, "fqdn").line == 1);
    CHECK(one(all, "fqdn").changed);
    CHECK(one(all, "workers").value == "0");
    CHECK(one(all, "workers").file.empty());
    CHECK_FALSE(one(all, "drain_time").changed);
    CHECK_FALSE(one(all, "receive_connector Inet.inactivity").changed);
    CHECK(one(all, "receive_connector Inet.message_size").changed);
    CHECK(one(all, "receive_connector Inet.fqdn").value == "mail1.contoso.com");
    CHECK(one(all, "send_connector Internet.retry.quick").value == "60s");
    CHECK(one(all, "resolver.dnssec").value == "log");
    CHECK(one(all, "tls_send_domain_secure_list: woodgrovebank.com").line == 4);
    CHECK(one(all, "send_connector Internet.address_spaces: *").value == "1");
    CHECK(one(all, "plugins.crl.interval").value == "1h");
    CHECK(one(all, "plugins.crl.ports: 80").entry);
    CHECK(one(all, "plugins.counters").key.empty());
    CHECK(one(all, "partner woodgrovebank.com.exception #2.allow").value == "any-name");
}

TEST_CASE("every key of the table that has a default is understood", "[config][understood]") {
    const Written written(std::string(text) +
                          "certificate edge {\n}\nroots r {\n}\naccepted_domain contoso.com {\n}\n");
    const auto all = written.all();
    for (const auto& key : keys()) {
        if (key.otherwise.empty() || key.name == "routing") continue;  // the connector has a smart host
        CAPTURE(key.where, key.name);
        CHECK(std::any_of(all.begin(), all.end(), [&](const auto& each) { return each.key == key.name; }));
    }
}

TEST_CASE("a secret is not shown", "[config][understood]") {
    const Written written(std::string(text) + "postmaster_notify http://me:word@proxy.example/x@y\n");
    const auto all = written.all();
    CHECK(one(all, "plugins.crl.proxy_password").value == "(not shown)");
    CHECK(one(all, "postmaster_notify").value == "http://(not shown)@proxy.example/x@y");
}

TEST_CASE("what is shown loads again and means the same", "[config][understood]") {
    const Written written(text);
    const auto all = written.all();
    const auto shown = info_text(all);
    const Written again(shown);
    const auto read = again.all();
    for (const auto& found : differences(all, read)) FAIL((found.after ? found.after : found.before)->path());
    CHECK(read.size() == all.size());
    CHECK(shown.find("workers 0  ; default\n") != std::string::npos);
    CHECK(shown.find("    reason \"they move; soon\"  ; " + written.file + ":19\n") != std::string::npos);
}

TEST_CASE("a difference tells both sides", "[config][understood]") {
    const Written before(text);
    std::string changed(text);
    const auto swap = [&](const std::string& old, const std::string& fresh) {
        changed.replace(changed.find(old), old.size(), fresh);
    };
    swap("message_size 10M", "message_size 20M");
    swap("  woodgrovebank.com\n", "  fabrikam.com\n");
    swap("inactivity 300s", "inactivity 5min");
    const Written after(changed + "workers 3\npartner fabrikam.com {\n}\n");
    const auto old = before.all(), fresh = after.all();
    std::vector<std::string> told;
    for (const auto& found : differences(old, fresh))
        told.push_back((found.before ? found.before->path() + " " + found.before->value : "nothing") + " -> " +
                       (found.after ? found.after->path() + " " + found.after->value : "nothing"));
    CHECK(told ==
          std::vector<std::string>{"workers 0 -> workers 3", "nothing -> tls_send_domain_secure_list: fabrikam.com ",
                                   "nothing -> partner fabrikam.com ",
                                   "receive_connector Inet.message_size 10M -> receive_connector Inet.message_size 20M",
                                   "tls_send_domain_secure_list: woodgrovebank.com  -> nothing"});
    CHECK(one(fresh, "workers").restart);
    CHECK(one(fresh, "resolver.dnssec").restart);
    CHECK_FALSE(one(fresh, "fqdn").restart);
}
