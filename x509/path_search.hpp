// Finds the valid paths from a leaf to an anchor: depth first with backtracking, so that a bad alternative never hides
// a good one. Candidates are found by normalised subject and tried anchors first, then by how well key identifiers fit
// and dates hold, then the nearest to an anchor by names alone; who reaches none that way, or is unfit whatever stands
// around him, costs no descent. Loops are cut by (name, key); depth, signature checks and steps are bounded, since the
// peer chose what to send.
//
// One search is one thread's. next() gives one valid path after the other, so that whoever finds the first one revoked
// can ask for another; when there is none left, fault() says what was wrong with the best try.
#pragma once

#include <map>
#include <x509/certificate_index.hpp>
#include <x509/path_validation.hpp>
#include <x509/signature.hpp>

namespace postern::x509 {

struct SearchLimits {
    std::size_t depth = 20;  // certificates in a path, anchor included
    std::size_t signatures = 100;
    std::size_t steps = 10000;
};

class PathSearch {
public:
    using Pools = std::vector<const CertificateIndex*>;
    // All of them outlive the search. `intermediates`: what the peer sent, and what is known here.
    PathSearch(const Certificate& leaf, Pools anchors, Pools intermediates, PathTerms terms, SearchLimits limits = {});

    std::optional<Path> next();
    const PathFault& fault() const { return fault_; }
    // The certificates of the path that fault() is about; it may end before an anchor.
    const std::vector<const Certificate*>& faulty_path() const { return faulty_path_; }

private:
    struct Candidate {
        const Certificate* certificate;
        bool anchor;
        int fit;
        std::size_t distance;  // certificates from here to an anchor at least; `unreachable`
    };
    struct Step {
        const Certificate* certificate;
        std::vector<Candidate> issuers;
        std::size_t tried = 0;
    };
    static constexpr std::size_t unreachable = ~std::size_t{0};
    void measure(const Name& from);
    std::size_t distance_of(const Certificate& issuer) const;
    bool is_anchor(const Certificate& certificate) const;
    void remember_unfit(PathFault fault, const Certificate& issuer);
    bool worth_descending(const Candidate& candidate);
    void push(const Certificate& certificate);
    std::vector<Candidate> issuers_of(const Certificate& certificate) const;
    bool in_path(const Certificate& certificate) const;
    bool signed_by(const Certificate& certificate, const Certificate& issuer);
    std::optional<Path> ended_in(const Certificate& anchor);
    void remember(int rank, PathFault fault, std::vector<const Certificate*> path);
    void note_dead_end(const Step& step);
    std::vector<const Certificate*> walked() const;

    const Certificate* leaf_;
    Pools anchors_, intermediates_;
    PathTerms terms_;
    SearchLimits limits_;
    std::vector<Step> stack_;
    std::map<std::pair<const Certificate*, std::string_view>, SignatureStanding> checked_;
    std::map<std::string, std::size_t> distances_;  // by subject: of any certificate under that name
    std::size_t steps_ = 0;
    bool exhausted_ = false;
    bool hopeless_ = false;    // by names alone no anchor can be reached: one walk to tell why
    bool leaf_unfit_ = false;  // whatever the path: the first complete one tells why
    int rank_ = -1;
    PathFault fault_;
    std::vector<const Certificate*> faulty_path_;
};

}  // namespace postern::x509
