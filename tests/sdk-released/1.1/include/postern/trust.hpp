// The roles that judge whom we spoke to: NameMatcher, ChainJudge, RevocationChecker.
//
//   the core --names, domain, rule--> NameMatcher              pure, inline
//   the core --chain, trust scope---> ChainJudge               the only one who says valid | invalid | undecided; lane
//     ChainJudge --one valid path---> RevocationChecker        owns the lists; never calls the judge; lane
//
// Each role has one provider. Without it the domains that depend on it are answered 451 4.3.0, never waved through.
#pragma once

#include <postern/certificate.hpp>
#include <postern/pending.hpp>
#include <postern/types.hpp>

namespace postern {

// ---- names ----------------------------------------------------------------------------------------------------------

enum class NameRuleKind : std::uint8_t { domain_security = 1, exact = 2, names = 3 };

struct NameRule {
    NameRuleKind kind = NameRuleKind::domain_security;
    std::vector<std::string> names;  // for kind names: canonical DNS names, one of which the certificate must hold
    bool cn_fallback = false;        // the subject CN counts where there is no subjectAltName at all and one CN
};

struct NameEvidence {
    bool speaks = false;
    std::string matched;   // the certificate's name that spoke, as lower-case A-labels
    std::string sentence;  // why, or why not: "mail1.us.woodgrovebank.com is two labels below woodgrovebank.com"
};

class NameMatcher {
public:
    static constexpr std::string_view id = "postern.name-matcher.1";
    virtual ~NameMatcher() = default;
    // `domain` is canonical (lower-case A-labels, no trailing dot).
    virtual NameEvidence speaks_for(const CertificateFacts& leaf, std::string_view domain, const NameRule& rule) = 0;
};

// ---- chains ---------------------------------------------------------------------------------------------------------

enum class Purpose : std::uint8_t {
    server = 1,      // serverAuth: a server that we connect to
    client = 2,      // clientAuth only
    connecting = 3,  // clientAuth, else serverAuth: a peer that connects to us ("any-tls" on the command line)
    unstated = 4,    // EKU not judged: `cert verify` without --purpose alone
};
enum class RevocationMode : std::uint8_t { hard = 1, soft = 2, off = 3 };
enum class RevocationSource : std::uint8_t { always = 1, if_present = 2, except_short_lived = 3 };
enum class Profile : std::uint8_t { modern = 1, legacy = 2 };

// Named sets of anchors, immutable, one object a configuration generation.
struct TrustScopeFiles {
    std::string name;                // partner domain, or "" for everybody else
    bool system = false;             // the system's roots too
    std::vector<std::string> files;  // PEM or DER, any number of certificates each
    std::vector<std::string> intermediate_files;
};
class TrustScopes : public Counted {};

struct JudgeRequest {
    std::vector<Bytes> chain;  // as sent, leaf first
    Bytes staple;
    Ref<TrustScopes> scopes;
    std::string scope;  // name in scopes; an unknown one is a failure
    Purpose purpose = Purpose::connecting;
    RevocationMode revocation = RevocationMode::hard;
    RevocationSource revocation_source = RevocationSource::except_short_lived;
    std::chrono::seconds crl_grace{0};
    bool may_fetch = false;  // see spec: only after a path with valid signatures and a fitting name
    Time at{};               // the moment to judge for
    Profile profile = Profile::modern;
    std::vector<Bytes> explicit_crls;  // `cert verify --crl`: these alone, nothing cached, nothing fetched
    bool only_explicit_crls = false;
};

enum class Standing : std::uint8_t { valid = 1, invalid = 2, undecided = 3 };
enum class RevocationStanding : std::uint8_t {
    good = 1,
    revoked = 2,
    on_hold = 3,
    unknown = 4,
    unusable = 5,
    no_source = 6,
    short_lived = 7,
    not_checked = 8,
};

struct Finding {
    std::uint32_t certificate = 0;  // index in path, 0 = leaf
    std::string check;              // "signature", "validity", "purpose", "revocation" ...
    bool good = false;
    std::string source;  // where from: a CRL's URL, a file, "peer", "anchor"
    std::string sentence;
};

struct Judgement {
    Standing standing = Standing::undecided;
    std::string reason;                  // token of the first fault ("expired", "crl-unreachable"); empty when valid
    std::string sentence;                // cause, whose certificate, next step
    std::vector<CertificateFacts> path;  // leaf first, anchor last; empty when none was found
    std::vector<Finding> findings;
    Purpose held = Purpose::unstated;                                 // client or server: which purpose carried it
    RevocationStanding revocation = RevocationStanding::not_checked;  // the worst of the path but the anchor
    Time valid_until{};  // earliest nextUpdate or notAfter that it rests on
};

class ChainJudge {
public:
    static constexpr std::string_view id = "postern.chain-judge.1";
    virtual ~ChainJudge() = default;
    // Reads files, off the workers. On failure nothing is kept; the text names each bad file.
    virtual Outcome<Ref<TrustScopes>> load_scopes(const std::vector<TrustScopeFiles>&) = 0;
    virtual Pending<Judgement> judge(JudgeRequest) = 0;
};

// ---- revocation -----------------------------------------------------------------------------------------------------

struct RevocationRequest {
    std::vector<Bytes> path;  // DER, leaf first, anchor last: signatures and dates already good
    Bytes staple;
    RevocationSource source = RevocationSource::except_short_lived;
    std::chrono::seconds grace{0};
    Profile profile = Profile::modern;  // what a list's signature must meet
    bool may_fetch = false;
    Time at{};
    std::vector<Bytes> explicit_crls;
    bool only_explicit_crls = false;
};

struct CertificateRevocation {
    RevocationStanding standing = RevocationStanding::unknown;
    std::string reason;    // token: "revoked", "on-hold", "crl-unreachable", "crl-stale" ...
    std::string sentence;  // "serial 1F03 revoked 2026-10-02 (keyCompromise) by http://..."
    std::string source;    // URL or file of the list that decided, or that was missing
    Time valid_until{};    // the list's nextUpdate
};

class RevocationChecker {
public:
    static constexpr std::string_view id = "postern.revocation-checker.1";
    virtual ~RevocationChecker() = default;
    // One answer a certificate of the path but the anchor, in the path's order.
    virtual Pending<std::vector<CertificateRevocation>> check(RevocationRequest) = 0;
    // Changes whenever what is known changes. Any thread.
    virtual std::uint64_t epoch() const = 0;
};

}  // namespace postern
