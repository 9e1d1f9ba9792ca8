// `crl import`: a list that came another way than by its URL takes its place in the cache, by the same rules as a
// fetched one: signed by the issuer that is hoped for, and not older than what is here unless that is forced.
#pragma once

#include <crl/flights.hpp>

namespace postern::crl {

struct ImportOrder {
    std::string file;
    std::string url;     // empty: every URL that hopes for a list of this issuer
    std::string issuer;  // file with the certificate that signed it; empty: those known of the URL
    bool force = false;
};

VerbResult import_lists(ListStore& store, Flights& flights, const ImportOrder& order);

// The certificates of a file, PEM or DER; the failure names the file. None for an empty name.
Outcome<std::vector<x509::Certificate>> certificates_in(const std::string& path);

}  // namespace postern::crl
