#include <algorithm>
#include <net/resolver.hpp>
#include <random>

namespace postern::net {

static constexpr int type_a = 1, type_mx = 15, type_aaaa = 28, rcode_nxdomain = 3;
static constexpr std::chrono::milliseconds question_time{30000}, laggards_time{5000};

// ::ffff:127.0.0.1 is 127.0.0.1 to the kernel, and so it is to those who judge where mail may go.
static asio::ip::address plain(const asio::ip::address& address) {
    if (!address.is_v6() || !address.to_v6().is_v4_mapped()) return address;
    return asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
}

// RDATA names come uncompressed from libunbound.
static std::string wire_name(std::string_view wire) {
    std::string name;
    while (!wire.empty() && wire[0]) {
        const auto length = static_cast<unsigned char>(wire[0]);
        if (length > 63 || wire.size() < length + 1u) return {};
        if (!name.empty()) name += '.';
        for (char c : wire.substr(1, length)) name += static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
        wire.remove_prefix(length + 1u);
    }
    return name;
}

static std::vector<MxHost> parsed(const std::vector<std::string>& records) {
    std::vector<MxHost> hosts;
    for (const auto& data : records) {
        if (data.size() < 3) continue;
        const auto high = static_cast<unsigned char>(data[0]), low = static_cast<unsigned char>(data[1]);
        hosts.push_back({static_cast<std::uint16_t>(high << 8 | low), wire_name(std::string_view(data).substr(2))});
    }
    static thread_local std::mt19937 random{std::random_device{}()};
    std::shuffle(hosts.begin(), hosts.end(), random);
    std::stable_sort(hosts.begin(), hosts.end(), [](auto& a, auto& b) { return a.preference < b.preference; });
    return hosts;
}

awaitable<Outcome<std::vector<MxHost>>> Resolver::mail_hosts(std::string domain) {
    auto records = co_await dns_.ask(domain, type_mx, "MX", question_time);
    if (!records) co_return records.failure;
    if (records->rcode == rcode_nxdomain) {
        Failure failure{"5.1.2", "the domain " + domain + " does not exist"};
        co_return failure;
    }
    auto hosts = parsed(records->data);
    if (hosts.empty()) {
        // RFC 5321 5.1: the implicit MX, at the name where CNAMEs end.
        hosts.push_back({0, records->canonical.empty() ? domain : records->canonical});
        co_return hosts;
    }
    std::erase_if(hosts, [](const MxHost& host) { return host.name.empty(); });
    if (hosts.empty()) {
        Failure failure{"5.1.10", "the domain " + domain + " takes no mail (null MX, RFC 7505)"};
        co_return failure;
    }
    co_return hosts;
}

struct Resolver::Gathering {
    explicit Gathering(const asio::any_io_executor& executor, std::size_t questions)
        : answers(questions, Failure{"4.4.3", "DNS gave no answer in time"}), left(questions), change(executor) {}
    std::vector<Outcome<DnsRecords>> answers;  // of each host AAAA, then A
    std::size_t left;
    bool found = false;
    asio::steady_timer change;
};

awaitable<void> Resolver::gather(std::shared_ptr<Gathering> into, std::size_t number, std::string host, bool six) {
    auto answer = co_await dns_.ask(host, six ? type_aaaa : type_a, six ? "AAAA" : "A", question_time);
    into->found |= answer && !answer->data.empty();
    into->answers[number] = std::move(answer);
    --into->left;
    into->change.cancel();
}

template <class Address>
static void append(Addresses& found, const Outcome<DnsRecords>& answer) {
    if (!answer) return;
    typename Address::bytes_type bytes;
    for (const auto& data : answer->data) {
        if (data.size() != bytes.size()) continue;
        std::copy(data.begin(), data.end(), bytes.begin());
        found.push_back(plain(Address(bytes)));
    }
}

static Outcome<Addresses> addresses_in(const std::string& host, const Outcome<DnsRecords>& six,
                                       const Outcome<DnsRecords>& four) {
    Addresses found;
    error_code error;
    if (const auto literal = asio::ip::make_address(host, error); !error) return Addresses{plain(literal)};
    append<asio::ip::address_v4>(found, four);
    append<asio::ip::address_v6>(found, six);
    if (!found.empty()) return found;
    if (!four) return four.failure;
    if (!six) return six.failure;
    return Failure{"5.4.4", "the host " + host + " has no address"};
}

awaitable<std::vector<Outcome<Addresses>>> Resolver::addresses(std::vector<std::string> hosts) {
    const auto executor = co_await asio::this_coro::executor;
    const auto gathering = std::make_shared<Gathering>(executor, 2 * hosts.size());
    for (std::size_t number = 0; number < gathering->answers.size(); ++number) {
        const auto& host = hosts[number / 2];
        error_code not_literal;
        asio::ip::make_address(host, not_literal);
        if (!not_literal) {
            gathering->found = true;
            --gathering->left;
            continue;
        }
        auto asking = gather(gathering, number, host, number % 2 == 0);
        asio::co_spawn(executor, std::move(asking), asio::detached);
    }
    auto until = Deadline::max();
    while (gathering->left > 0 && std::chrono::steady_clock::now() < until) {
        if (gathering->found) until = std::min(until, within(laggards_time));
        gathering->change.expires_at(until);
        (void)co_await gathering->change.async_wait(no_throw);
    }
    std::vector<Outcome<Addresses>> found;
    for (std::size_t i = 0; i < hosts.size(); ++i)
        found.push_back(addresses_in(hosts[i], gathering->answers[2 * i], gathering->answers[2 * i + 1]));
    co_return found;
}

namespace {

// RFC 1035 3.3.14: character-strings, here one text.
std::string txt_text(std::string_view data) {
    std::string text;
    while (!data.empty()) {
        const auto size = std::min<std::size_t>(static_cast<unsigned char>(data[0]), data.size() - 1);
        text += data.substr(1, size);
        data.remove_prefix(size + 1);
    }
    return text;
}

template <class Address>
std::string address_text(std::string_view data) {
    typename Address::bytes_type bytes;
    if (data.size() != bytes.size()) return {};
    std::copy(data.begin(), data.end(), bytes.begin());
    return Address(bytes).to_string();
}

std::string mx_text(std::string_view data) {
    if (data.size() < 3) return {};
    const auto preference = static_cast<unsigned char>(data[0]) << 8 | static_cast<unsigned char>(data[1]);
    return std::to_string(preference) + " " + wire_name(data.substr(2));
}

struct RecordType {
    std::string_view name;
    int number;
    std::string (*text)(std::string_view);
};
constexpr RecordType record_types[] = {{"A", type_a, address_text<asio::ip::address_v4>},
                                       {"AAAA", type_aaaa, address_text<asio::ip::address_v6>},
                                       {"CNAME", 5, wire_name},
                                       {"MX", type_mx, mx_text},
                                       {"NS", 2, wire_name},
                                       {"PTR", 12, wire_name},
                                       {"TXT", 16, txt_text}};

}  // namespace

awaitable<Outcome<std::vector<std::string>>> Resolver::records(std::string name, std::string type,
                                                               std::chrono::milliseconds time) {
    const auto* known = std::ranges::find(record_types, type, &RecordType::name);
    if (known == std::end(record_types)) {
        Failure failure{"dns-failed", "the record type " + type + " is not looked up"};
        co_return failure;
    }
    auto asked = co_await dns_.ask(name, known->number, type, time);
    if (!asked) {
        Failure failure{"dns-failed", asked.failure.text};
        co_return failure;
    }
    std::vector<std::string> texts;
    for (const auto& data : asked->data) texts.push_back(known->text(data));
    if (!texts.empty()) co_return texts;
    Failure failure{"no-data", name + " has no " + type + " record"};
    if (asked->rcode == rcode_nxdomain) failure = {"nxdomain", "the name " + name + " does not exist"};
    co_return failure;
}

}  // namespace postern::net
