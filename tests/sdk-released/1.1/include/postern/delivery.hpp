// Role Delivery: final delivery under a name that accepted_domain { deliver NAME } uses. Several providers; lane.
#pragma once

#include <postern/pending.hpp>
#include <postern/session.hpp>

namespace postern {

struct DeliveryRequest {
    std::string queue_id;
    std::string sender;      // empty for <>
    std::string recipient;   // local-part@canonical domain
    std::string local_part;  // unquoted
    std::string domain;
    Ref<class MessageSource> message;
};

// Opens the message for reading on the delivering thread; several readers may be open at once.
class MessageSource : public Counted {
public:
    virtual Outcome<std::uint64_t> size() = 0;
    virtual Outcome<std::size_t> read_at(std::uint64_t offset, std::span<std::uint8_t> into) = 0;
};

struct DeliveryResult {
    VerdictKind kind = VerdictKind::defer;  // proceed = durable on the recipient's storage
    std::string status;                     // enhanced code: "2.0.0", "4.3.0", "5.1.1"
    std::string text;                       // for log and notice
};

class Delivery {
public:
    static constexpr std::string_view id = "postern.delivery.1";
    virtual ~Delivery() = default;
    // The host has put Return-Path and Received in front already.
    virtual Pending<DeliveryResult> deliver(DeliveryRequest) = 0;
};

}  // namespace postern
