// A message made fit for a server that takes less than it holds: 8-bit or binary parts become quoted-printable or
// base64, part by part, and nothing else is touched (RFC 6152 3, RFC 3030 3, RFC 2045). Two passes over the octets: the
// first learns which parts need it, the second writes.
#pragma once

#include <cstdint>
#include <mail/entity.hpp>
#include <mail/transfer_encoding.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace postern::mail {

enum class Taken : std::uint8_t { seven_bit, eight_bit };  // what the server takes

struct DowngradePlan {
    Taken taken = Taken::seven_bit;
    std::vector<Encoding> leaves;  // in order
    std::string impossible;        // why it cannot be done; empty: it can
};

class Downgrade {
public:
    explicit Downgrade(Taken taken);         // first pass
    explicit Downgrade(DowngradePlan plan);  // second pass
    ~Downgrade();

    void feed(std::string_view octets);
    void finish();
    const DowngradePlan& plan() const;  // after the first pass
    std::string take_output();          // second pass

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace postern::mail
