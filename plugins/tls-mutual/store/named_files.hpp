// The certificates that connectors name by file, as they were when the configuration was taken: those are shown until
// the next reload, whatever lies in the files meanwhile. It reads what is public; keys are identity.hpp's.
#pragma once

#include <tls-mutual/store/own_watch.hpp>

namespace postern::tls_mutual {

struct NamedFile {
    std::string chain_file;
    WatchedCertificate certificate;
};

// Each file once. One that cannot be read is left out: the reload that took it has told of it.
std::vector<NamedFile> named_files(const ConfigurationView& configured);
// What to do before it ends: the file may hold its successor already.
std::string renewal_of(const NamedFile&);

}  // namespace postern::tls_mutual
