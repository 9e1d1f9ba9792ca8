// Collects one session's protocol records and hands them to the observers in batches. Knows no file and no format.
#pragma once

#include <memory>
#include <net/services.hpp>
#include <postern/decider.hpp>

namespace postern::net {

class ProtocolLog {
public:
    ProtocolLog(const plugins::PluginSet& plugins, config::ProtocolLogging level, bool outbound, std::string connector,
                std::string session);
    ~ProtocolLog() { flush(); }
    void endpoints(std::string local, std::string remote);

    void connected();
    void disconnected(std::string_view why);
    void sent(std::string_view octets);      // any number of whole CRLF lines: one record a line
    void received(std::string_view octets);  // command or reply lines, never message data
    void note(std::string data, std::string context);
    void decision(std::string text);  // level `decisions` only
    // After a handshake: which were shown, ours first; of a continued session those of the handshake it goes back to.
    // The paper's lines: subject, issuer name, serial number, thumbprint, alternate names.
    void certificates(const TlsFacts& facts, const CertificateFacts* ours);  // null: we have none
    void flush();

private:
    void certificate(std::string_view whose, const CertificateFacts& facts);
    void add(ProtocolEvent event, std::string data, std::string context);
    void lines(ProtocolEvent event, std::string_view octets);

    struct Kept {
        ProtocolRecord head;
        std::vector<ProtocolRecord> records;
        std::string sent_rest, received_rest;
        bool cut_secret = false;  // what follows up to the line's end is the rest of an AUTH
    };
    const plugins::PluginSet& plugins_;
    config::ProtocolLogging level_;
    std::unique_ptr<Kept> kept_;  // null at level none: thousands of idle sessions need none
};

}  // namespace postern::net
