#include <algorithm>
#include <cerrno>
#include <crl/importing.hpp>
#include <crl/list_answer.hpp>
#include <crl/listing.hpp>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <x509/pem.hpp>

namespace postern::crl {
namespace {

// PEM is a third larger than its DER.
constexpr std::uintmax_t largest_file = 2 * x509::CertificateList::size_limit;

Outcome<Bytes> contents(const std::string& path) {
    const auto cannot = [&](const std::string& why) { return Failure{"bad-file", path + ": " + why}; };
    std::error_code error;
    if (!std::filesystem::is_regular_file(path, error)) return cannot(error ? error.message() : "is no plain file");
    if (std::filesystem::file_size(path, error) > largest_file || error) return cannot("is too large for a list");
    std::ifstream stream(path, std::ios::binary);
    if (!stream) return cannot(std::string(std::strerror(errno)) + "; the daemon must be able to read it");
    return Bytes(std::istreambuf_iterator<char>(stream), {});
}

std::vector<std::string> points_of(const x509::CertificateList& list) {
    std::vector<std::string> urls;
    if (list.distribution_point && list.distribution_point->name)
        for (const auto& name : list.distribution_point->name->full)
            if (name.kind == x509::NameKind::uri) urls.push_back(name.value);
    return urls;
}

// A list for one distribution point is for its URLs alone; one for all is for every URL that hopes for its issuer.
std::vector<std::string> places_for(const ListStore& store, const x509::CertificateList& list,
                                    const ImportOrder& order) {
    if (!order.url.empty()) return {order.url};
    const auto points = points_of(list);
    std::vector<std::string> places;
    for (const auto& slot : store.slots()) {
        const bool elsewhere = !points.empty() && std::ranges::count(points, slot.url) == 0;
        const bool partitioned = points.empty() && slot.list && !points_of(slot.list->list).empty();
        const bool hoped = std::ranges::any_of(slot.issuers, [&](const Bytes& der) {
            const auto issuer = x509::Certificate::read(der);
            return issuer && issuer->subject == list.issuer;
        });
        if (hoped && !elsewhere && !partitioned) places.push_back(slot.url);
    }
    if (places.empty() && !points.empty() && !order.issuer.empty()) places.push_back(points.front());
    return places;
}

class Import {
public:
    Import(ListStore& store, Flights& flights, const ImportOrder& order)
        : store_(store), flights_(flights), order_(order) {}

    VerbResult run() {
        auto octets = contents(order_.file);
        if (!octets) return {1, {}, octets.failure.text + "\n"};
        auto issuers = certificates_in(order_.issuer);
        if (!issuers) return {1, {}, issuers.failure.text + "\n"};
        issuers_ = std::move(*issuers);
        auto lists = lists_of(std::move(*octets));
        if (!lists) return {1, {}, order_.file + ": " + lists.failure.text + "\n"};
        for (auto& der : *lists) take(std::move(der));
        return std::move(result_);
    }

private:
    void refuse(const std::string& why) {
        result_.status = 1;
        result_.err += order_.file + ": " + why + "\n";
    }
    void take(Bytes der) {
        const auto list = x509::CertificateList::read(der);
        if (!list) return refuse(list.failure.text);
        const auto places = places_for(store_, *list, order_);
        if (places.empty())
            return refuse("no list of " + list->issuer.text() +
                          " was ever needed here; say who signed it and which URL it stands for: crl import " +
                          order_.file + " --issuer CERTIFICATE --url URL");
        for (const auto& url : places) place(url, *list, der);
    }
    void place(const std::string& url, const x509::CertificateList& list, const Bytes& der) {
        auto issuers = issuers_;
        if (const auto slot = store_.find(url))
            for (const auto& one : slot->issuers)
                if (auto issuer = x509::Certificate::read(one)) issuers.push_back(std::move(*issuer));
        if (issuers.empty())
            return refuse("nobody knows yet who signs the list at " + url + ": name the file with his certificate by " +
                          "--issuer");
        const auto why = store_.take(url, der, issuers, {}, {}, order_.force);
        if (why.empty()) {
            flights_.imported(url, order_.file);
            result_.out += "taken   " + described(list) + "\n        for " + url + "\n";
        } else {
            refuse("not taken for " + url + ": " + why +
                   (why.find("older") != std::string::npos ? "; --force takes it all the same" : ""));
        }
    }

    ListStore& store_;
    Flights& flights_;
    const ImportOrder& order_;
    std::vector<x509::Certificate> issuers_;
    VerbResult result_;
};

}  // namespace

Outcome<std::vector<x509::Certificate>> certificates_in(const std::string& path) {
    std::vector<x509::Certificate> all;
    if (path.empty()) return all;
    const auto octets = contents(path);
    if (!octets) return octets.failure;
    const auto blocks = x509::read_certificates(*octets);
    if (!blocks) return Failure{"bad-file", path + ": " + blocks.failure.text};
    for (const auto& der : *blocks) {
        auto one = x509::Certificate::read(der);
        if (!one) return Failure{"bad-file", path + ": " + one.failure.text};
        all.push_back(std::move(*one));
    }
    if (all.empty()) return Failure{"bad-file", path + ": holds no certificate"};
    return all;
}

VerbResult import_lists(ListStore& store, Flights& flights, const ImportOrder& order) {
    return Import(store, flights, order).run();
}

}  // namespace postern::crl
