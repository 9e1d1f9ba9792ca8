// What Postern writes into the header section of a message on its way in: forged marks out, our own in (RFC 8601,
// method x-domain-secured), Received in front, and the check of From: (spec: "Inbound" 6 and 7). Pure: text in, text
// out.
#pragma once

#include <config/settings.hpp>
#include <mail/reply.hpp>
#include <optional>
#include <policy/evidence.hpp>
#include <postern/tls.hpp>
#include <string>
#include <string_view>

namespace postern::net {

struct MarkFacts {
    const config::Settings* settings = nullptr;
    const config::ReceiveConnector* connector = nullptr;
    const TlsFacts* tls = nullptr;
    const policy::Outcome* outcome = nullptr;
    std::string entry;          // the listed entry that was held against, or empty
    std::string sender_domain;  // canonical, empty for <>
    std::string domain;         // that the outcome is about
    bool null_sender = false;
    bool keeps_marks = false;  // a trusted server with role marks
    bool own_sender = false;   // our own domain as sender, from outside, where the connector says `own_senders tag`
    bool extended = false;     // EHLO
    bool smtputf8 = false;     // and MAIL with SMTPUTF8
    std::string helo, remote_address, queue_id;
    Time now{};
};

struct MarkedHeader {
    std::string header;
    std::optional<mail::Reply> refusal;  // bind_header_from reject
};

MarkedHeader mark(const MarkFacts& facts, std::string_view header);

// The beginning of a message (its whole header section and perhaps more) without marks of ours: what leaves for others.
std::string without_marks(const config::Settings& settings, std::string_view message);

}  // namespace postern::net
