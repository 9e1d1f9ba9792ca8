// All certificates (or CRLs) of a file's contents, PEM or DER. Text between PEM blocks and blocks of other kinds are
// passed over; a block that does not decode is an error, never skipped.
#pragma once

#include <postern/pending.hpp>
#include <string_view>

namespace postern::x509 {

// The DER of each block labelled `label` ("CERTIFICATE", "X509 CRL"); contents that begin as DER are the one element.
Outcome<std::vector<Bytes>> read_blocks(BytesView contents, std::string_view label);
inline Outcome<std::vector<Bytes>> read_certificates(BytesView contents) {
    return read_blocks(contents, "CERTIFICATE");
}

}  // namespace postern::x509
