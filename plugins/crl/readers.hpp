// For whom lists are here: which of them a certificate needs (said by each question about it), and who showed it (told
// by the event partner_certificate, or ours by the configuration). Survives a restart in a small file of its own.
// Nothing is decided by it; bounded; any thread.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <postern/host.hpp>

namespace postern::crl {

// One who reads a list.
struct Reader {
    std::string partner;    // the listed entry; empty: it is for a certificate of our own
    std::string connector;  // "receive_connector Inet"
    auto operator<=>(const Reader&) const = default;
    std::string text() const;  // "mail of woodgrovebank.com (receive_connector Inet)"
};

class Readers {
public:
    static constexpr std::size_t most_certificates = 20000, most_rows = 100000, most_lists = 100;
    static constexpr std::chrono::hours forgotten_after{30 * 24};

    // `certificate`: SHA-256 of the leaf. `lists`: URLs, or files.
    void needs(const std::string& certificate, std::vector<std::string> lists, Time now);
    void shown(const std::string& certificate, const Reader& reader, Time now);
    std::vector<Reader> of(const std::string& list) const;

    // `file`: read once; what cannot be read of it is left out, since it is found out anew.
    void load(const std::string& file, Time now);
    // Where something changed since. False: it cannot be written.
    bool save(const std::string& file, Time now);

private:
    struct Certificate {
        std::vector<std::string> lists;
        std::vector<Reader> readers;
        Time seen{};
    };
    Certificate* certificate(const std::string& sha256, Time now);       // wants mutex_
    void note(const std::string& list, const Reader& reader, Time now);  // wants mutex_

    mutable std::mutex mutex_;
    std::map<std::string, Certificate> certificates_;
    std::map<std::string, std::map<Reader, Time>> rows_;  // by list
    std::size_t count_ = 0;
    bool changed_ = false;
};

// Whom a partner_certificate is of, and its SHA-256; nothing where it says neither.
std::optional<std::pair<std::string, Reader>> sighting(const Occurrence& what);
// Our own certificates, as connectors show them now.
void note_own_certificates(Host& host, Readers& readers);

}  // namespace postern::crl
