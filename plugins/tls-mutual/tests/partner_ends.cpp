#include <catch2/catch.hpp>
#include <postern/testing/fake_host.hpp>
#include <tls-mutual/partner_ends.hpp>

using namespace postern;
using namespace postern::tls_mutual;

namespace {

constexpr std::chrono::hours day{24};

struct Watch {
    Watch() {
        host.configured.send_list = {"woodgrovebank.com"};
        host.configured.receive_list = {"fabrikam.com", "woodgrovebank.com"};
        partners.use(host);
    }
    void shows(const std::string& sha256, Time ends, const std::string& name = "mail1.woodgrovebank.com",
               std::chrono::hours life = day * 90) {
        Occurrence what{Event::partner_certificate, host.now()};
        const auto seconds = [](Time time) { return std::to_string(std::chrono::system_clock::to_time_t(time)); };
        what.details = {{"partner", "woodgrovebank.com"},
                        {"client_name", name},
                        {"certificate", sha256},
                        {"subject", "CN=" + name},
                        {"not_before", seconds(ends - life)},
                        {"not_after", seconds(ends)}};
        partners.saw(what);
    }
    void an_hour_later() {
        host.set_clock(host.now() + std::chrono::hours(1));
        partners.saw({Event::timer, host.now()});
        partners.saw({Event::timer, host.now()});
    }
    std::string alarm(const std::string& name = "mail1.woodgrovebank.com") {
        const auto found = host.alarms.find("partner-certificate-ending woodgrovebank.com " + name);
        return found == host.alarms.end() ? std::string() : found->second;
    }

    test::FakeHost host;
    PartnerEnds partners;
};

}  // namespace

TEST_CASE("a partner's certificate is spoken of once a step, counted, and an alarm in its last two weeks",
          "[tls-mutual]") {
    Watch watch;
    const auto began = watch.host.now();
    watch.shows("aa", began + day * 40);
    CHECK(
        watch.host.counted.contains("postern_partner_certificate_not_after_seconds{partner=\"woodgrovebank.com\",name="
                                    "\"mail1.woodgrovebank.com\"}"));
    CHECK(watch.host.logged.empty());
    for (const auto& [days, lines] : {std::pair{11, 1}, {15, 1}, {27, 2}, {34, 3}, {39, 4}}) {
        watch.host.set_clock(began + day * days);
        watch.an_hour_later();
        watch.an_hour_later();
        watch.shows("aa", began + day * 40);
        INFO(days);
        CHECK(watch.host.logged.size() == static_cast<std::size_t>(lines));
        CHECK(watch.alarm().empty() == (days < 26));
    }
    CHECK(watch.host.logged[3].find(
              "partner-certificate-ending: the certificate of woodgrovebank.com for "
              "mail1.woodgrovebank.com (\"CN=mail1.woodgrovebank.com\" sha256 aa) ends within 1") == 0);
    CHECK(watch.alarm().find("the partner must renew it") != std::string::npos);
    watch.shows("bb", began + day * 130);  // he did
    CHECK(watch.host.alarms.empty());
}

TEST_CASE("a partner that left is forgotten with its alarm", "[tls-mutual]") {
    Watch watch;
    watch.shows("aa", watch.host.now() + day * 10);
    watch.shows("bb", watch.host.now() + day * 10, "mail2.woodgrovebank.com");
    CHECK(watch.host.alarms.size() == 2);
    watch.host.set_clock(watch.host.now() + day * 29);
    watch.shows("bb", watch.host.now() + day * 5, "mail2.woodgrovebank.com");
    watch.host.set_clock(watch.host.now() + day * 2);
    watch.an_hour_later();
    CHECK(watch.alarm().empty());
    CHECK_FALSE(watch.alarm("mail2.woodgrovebank.com").empty());
    watch.host.configured.send_list.clear();
    watch.host.configured.receive_list.clear();
    watch.partners.saw({Event::config_reloaded, watch.host.now()});
    CHECK(watch.host.alarms.empty());
}

TEST_CASE("a certificate that lives for days is no alarm before its last third", "[tls-mutual]") {
    Watch watch;
    const auto began = watch.host.now();
    watch.shows("aa", began + day * 6, "mail1.woodgrovebank.com", day * 6);
    CHECK(watch.host.logged.empty());
    CHECK(watch.host.alarms.empty());
    watch.host.set_clock(began + day * 4 + std::chrono::hours(1));
    watch.an_hour_later();
    CHECK_FALSE(watch.alarm().empty());
    CHECK(watch.host.logged.empty());
    watch.host.set_clock(began + day * 5);
    watch.an_hour_later();
    CHECK(watch.host.logged.size() == 1);
}
