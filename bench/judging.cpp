// What judging costs: taking in a large revocation list, looking a serial up, a judgement that is remembered, and a
// fresh one beside the signature checks in it. Prints one JSON object; `run` tells what it means. Start at main().
//
//   judging make ENTRIES REASONS-EVERY FILE   writes a signed list and, beside it, its issuer (FILE.issuer)
//   judging take FILE                         decodes and verifies it; memory is that of a process which does nothing
//   else judging judge FILE ROUNDS                 with that list warm: look-ups and judgements
#include <time.h>

#include <algorithm>
#include <crl/checker.hpp>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <postern/testing/fake_host.hpp>
#include <random>
#include <support/lists.hpp>
#include <tls-mutual/judge.hpp>

namespace {

using namespace postern;
using test::Authority;
using test::CertificateTerms;

double now_seconds() {
    timespec time{};
    ::clock_gettime(CLOCK_MONOTONIC, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

template <class Call>
double seconds_of(Call call) {
    const auto began = now_seconds();
    call();
    return now_seconds() - began;
}

// A line of /proc/self/status in MiB. (getrusage's peak begins with that of the process that started this one.)
double memory(const std::string& name) {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);)
        if (line.starts_with(name + ":")) return std::stod(line.substr(name.size() + 1)) / 1024;
    return 0;
}

Bytes contents(const std::string& path) {
    std::ifstream file(path, std::ios::binary | std::ios::ate);
    if (!file) throw std::runtime_error(path + " cannot be read");
    Bytes octets(static_cast<std::size_t>(file.tellg()));
    file.seekg(0);
    file.read(reinterpret_cast<char*>(octets.data()), static_cast<std::streamsize>(octets.size()));
    return octets;
}

void write(const std::string& path, const std::string& text) { std::ofstream(path, std::ios::binary) << text; }

CertificateTerms terms_of(const std::string& name, bool ca) {
    CertificateTerms terms;
    terms.name = name;
    terms.ca = ca;
    if (!ca) terms.dns_names = {name};
    return terms;
}

// Serials of 16 octets in random order, as large CAs have them.
int make(std::size_t entries, std::size_t reasons_every, const std::string& path) {
    const Authority root(terms_of("Root", true)), issuing(terms_of("Issuing", true), &root);
    const Authority edge(terms_of("mail1.contoso.com", false), &issuing);
    std::mt19937_64 random(1);
    const auto date = test::der::time(std::chrono::system_clock::now());
    const auto reason = test::der::sequence({test::der::extension({0x55, 0x1d, 0x15}, false, {0x0a, 0x01, 0x04})});
    Bytes body;
    for (std::size_t i = 0; i < entries; ++i) {
        Bytes serial(16);
        for (auto& octet : serial) octet = static_cast<std::uint8_t>(random());
        serial[0] = static_cast<std::uint8_t>((serial[0] & 0x7f) | 0x40);
        const bool with_reason = reasons_every && i % reasons_every == 0;
        const auto entry =
            test::der::sequence({test::der::element(0x02, serial), date, with_reason ? reason : Bytes{}});
        body.insert(body.end(), entry.begin(), entry.end());
    }
    test::ListTerms terms;
    terms.entries = std::move(body);
    const auto list = make_list(issuing, terms);
    write(path, {list.begin(), list.end()});
    write(path + ".root", root.pem());
    const auto der = issuing.der(), leaf = edge.der();
    write(path + ".issuer", {der.begin(), der.end()});
    write(path + ".leaf", {leaf.begin(), leaf.end()});
    const auto other = make_list(root, {});
    write(path + ".other", {other.begin(), other.end()});
    return 0;
}

int take(const std::string& path) {
    const auto issuer = *x509::Certificate::read(contents(path + ".issuer"));
    const auto before = memory("VmRSS");
    auto octets = contents(path);
    const auto size = octets.size();
    std::optional<Outcome<x509::CertificateList>> list;
    const auto decode = seconds_of([&] { list.emplace(x509::CertificateList::read(std::move(octets))); });
    if (!*list) throw std::runtime_error(list->failure.text);
    const auto entries = (*list)->size();
    bool good = false;
    const auto verify = seconds_of([&] {
        good = x509::verify(issuer.spki, (*list)->signature_algorithm, (*list)->tbs, (*list)->signature,
                            Profile::modern) == x509::SignatureStanding::good;
    });
    std::printf(
        "{\"entries\": %zu, \"octets\": %zu, \"decode_s\": %.3f, \"verify_s\": %.3f, \"good\": %s, "
        "\"memory_mb\": %.1f}\n",
        entries, size, decode, verify, good ? "true" : "false", memory("VmHWM") - before);
    return good ? 0 : 1;
}

struct World {
    explicit World(const std::string& path) {
        host.offer<RevocationChecker>(checker);
        host.offer<PooledRevocationChecker>(checker);
        judge.use(host);
        for (const auto* name : {"", ".other"})
            lists.push_back(
                std::make_shared<const crl::KnownList>(*x509::CertificateList::read(contents(path + name)), "list"));
        store.replace_files(lists);
        request.chain = {contents(path + ".leaf"), contents(path + ".issuer")};
        request.scopes = *judge.load_scopes({{"", false, {path + ".root"}, {}}});
        request.revocation_source = RevocationSource::always;
        request.at = std::chrono::system_clock::now();
    }
    double judged_once(const JudgeRequest& asked) {
        auto copy = asked;
        std::optional<Pending<Judgement>> pending;
        const auto took = seconds_of([&] { pending.emplace(judge.judge(std::move(copy))); });
        auto judgement = pending->take();
        if (!judgement || judgement->standing != Standing::valid)
            throw std::runtime_error(judgement ? judgement->sentence : judgement.failure.text);
        return took;
    }

    test::FakeHost host;
    crl::ListStore store{host};
    crl::Flights flights{host, store};
    crl::Checker checker{store, flights};
    tls_mutual::Judge judge{"/nonexistent"};
    std::vector<crl::KnownListRef> lists;
    JudgeRequest request;
};

double look_up_seconds(const x509::CertificateList& list, std::size_t rounds) {
    std::mt19937_64 random(1);  // as in make(): every second one is on the list
    std::vector<std::string> serials;
    for (std::size_t i = 0; i < 100000; ++i) {
        std::string serial(16, '\0');
        for (auto& octet : serial) octet = static_cast<char>(random());
        serial[0] = static_cast<char>((serial[0] & 0x7f) | 0x40);
        if (i % 2) serial[15] = static_cast<char>(serial[15] ^ 1);
        serials.push_back(std::move(serial));
    }
    std::ranges::shuffle(serials, random);
    std::size_t found = 0;
    const auto took = seconds_of([&] {
        for (std::size_t i = 0; i < rounds; ++i)
            found += list.find(serials[i % serials.size()], list.issuer).has_value();
    });
    if (list.size() > 100000 && found == 0) throw std::runtime_error("nothing was found");
    return took / static_cast<double>(rounds);
}

int judge(const std::string& path, std::size_t rounds) {
    World world(path);
    const auto look_up = look_up_seconds(world.lists.front()->list, 1000000);
    world.judged_once(world.request);  // the lists' signatures are checked once and remembered
    double remembered = 0, fresh = 0;
    for (std::size_t i = 0; i < rounds; ++i) remembered += world.judged_once(world.request);
    for (std::size_t i = 0; i < rounds; ++i) {
        auto other = world.request;
        other.crl_grace = std::chrono::seconds(i + 1);  // other terms: nothing is remembered for them
        fresh += world.judged_once(other);
    }
    const auto leaf = *x509::Certificate::read(world.request.chain[0]),
               issuer = *x509::Certificate::read(world.request.chain[1]);
    const auto signatures = seconds_of([&] {
        for (std::size_t i = 0; i < rounds; ++i) {
            (void)x509::verify(issuer.spki, leaf.signature_algorithm, leaf.tbs, leaf.signature, Profile::modern);
            (void)x509::verify(issuer.spki, issuer.signature_algorithm, issuer.tbs, issuer.signature, Profile::modern);
        }
    });
    const auto each = [rounds](double total) { return total / static_cast<double>(rounds) * 1e6; };
    std::printf(
        "{\"look_up_us\": %.3f, \"remembered_us\": %.2f, \"fresh_us\": %.1f, \"signatures_us\": %.1f, "
        "\"fresh_beyond_signatures_us\": %.1f}\n",
        look_up * 1e6, each(remembered), each(fresh), each(signatures), each(fresh) - each(signatures));
    return 0;
}

}  // namespace

int main(int count, char** words) try {
    const std::string verb = count > 1 ? words[1] : "";
    if (verb == "make" && count == 5) return make(std::stoul(words[2]), std::stoul(words[3]), words[4]);
    if (verb == "take" && count == 3) return take(words[2]);
    if (verb == "judge" && count == 4) return judge(words[2], std::stoul(words[3]));
    std::fprintf(stderr, "usage: judging make ENTRIES REASONS-EVERY FILE | take FILE | judge FILE ROUNDS\n");
    return 2;
} catch (const std::exception& fault) {
    std::fprintf(stderr, "judging: %s\n", fault.what());
    return 1;
}
