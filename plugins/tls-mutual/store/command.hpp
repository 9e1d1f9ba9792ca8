// What every `postern cert` command works with, and how it answers.
//
// Exit statuses (docs/certificates.md): 0 done, 1 refused as it stands, 2 usage, 73 the disk, 75 not now.
#pragma once

#include <postern/host.hpp>
#include <tls-mutual/store/arguments.hpp>
#include <tls-mutual/store/choice.hpp>
#include <tls-mutual/store/store.hpp>
#include <tls-mutual/store/text.hpp>

namespace postern::tls_mutual {

// Standing of a certificate as the daemon last found it; on the command line, as far as it can be told without lists.
class Validations {
public:
    virtual ~Validations() = default;
    virtual Candidate candidate(const StoredCertificate&) = 0;
};

struct CommandContext {
    Host& host;
    ChainJudge& judge;
    CertificateStore store;
    Validations& validations;

    std::vector<Candidate> candidates(const StoreContents&) const;
    // Which connectors would show this certificate, as "receive_connector Inet": as found here, or by a running daemon,
    // whose validations may tell otherwise.
    std::vector<std::string> users_of(const StoreContents&, const StoredCertificate&) const;
    std::vector<std::string> users_now(const StoreContents&, const StoredCertificate&) const;
};

CertificateWish wish_of(const ConnectorView&);
std::string title_of(const ConnectorView&);
// A certificate of the configuration's own files, or one of the store's.
bool from_store(const ConnectorView&);

VerbResult refused(const Failure&);  // the exit status follows from its token
VerbResult usage_of(std::string_view usage, const std::string& problem);
// What an administrator should know beside the result, one `warning:` a line.
std::string warnings(const std::vector<std::string>&);
// Of a name that somebody gives a certificate.
constexpr std::size_t longest_friendly_name = 128;
std::optional<Failure> check_friendly_name(const std::string&);
// Where no connector asks for any of these names: so that it would never be chosen.
std::optional<std::string> never_chosen(const Host&, const std::vector<std::string>& names);
// Has the daemon look at the store; what to say of it.
std::string tell_daemon(Host&);

// One certificate judged as a peer's would be, without fetching anything, by every root that the configuration names.
Judgement judge_now(Host&, ChainJudge&, const std::vector<Bytes>& chain, const std::vector<std::string>& more_roots);
// What such a judgement is worth for the choice.
Candidate judged(const StoredCertificate&, const Judgement&);

Json describe(const StoredCertificate&, const CommandContext&);
std::string describe_text(const StoredCertificate&);

}  // namespace postern::tls_mutual
