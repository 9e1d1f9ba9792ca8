// The self-signed certificate for opportunistic TLS: made where a receive connector would have none, for 12 months and
// all names of ours; renewed in time; gone when it is of no use.
#pragma once

#include <postern/host.hpp>
#include <tls-mutual/store/store.hpp>

namespace postern::tls_mutual {

// What was done, for the log; empty where nothing was to do. Holds the store's lock while it changes it.
Outcome<std::string> keep_automatic(Host&, const ConfigurationView&, const CertificateStore&);

}  // namespace postern::tls_mutual
