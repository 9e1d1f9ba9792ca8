// The one walk over a CRL, and looking a serial up. See crl.hpp.
#include <algorithm>
#include <x509/crl.hpp>
#include <x509/extensions.hpp>
#include <x509/oid.hpp>

namespace postern::x509 {
namespace {

std::uint64_t serial_prefix(BytesView serial) {
    std::uint64_t prefix = 0;
    for (std::size_t i = 0; i < 8; ++i) prefix = prefix << 8 | (i < serial.size() ? serial[i] : 0u);
    return prefix;
}

bool serial_before(BytesView left, BytesView right) { return std::ranges::lexicographical_compare(left, right); }

std::optional<Bytes> read_number(Reader value) {
    const auto number = read_integer(value.expect(tag::integer));
    // RFC 5280 5.2.3: not negative, at most 20 octets.
    if (!value.finished() || !number || (*number)[0] >= 0x80 || number->size() > 21) return std::nullopt;
    const std::size_t skip = number->size() > 1 && (*number)[0] == 0 ? 1 : 0;
    return Bytes(number->begin() + static_cast<std::ptrdiff_t>(skip), number->end());
}

std::optional<RevocationReason> read_reason(Reader value) {
    const auto reason = read_unsigned(value.expect(tag::enumerated));
    if (!value.finished() || !reason || *reason > 10 || *reason == 7) return std::nullopt;
    return static_cast<RevocationReason>(*reason);
}

// One entry of revokedCertificates, its extensions still unread.
struct EntryParts {
    BytesView serial;
    Time date{};
    std::optional<Element> extensions;
};

std::optional<EntryParts> read_entry(const Element& element) {
    Reader fields(element);
    EntryParts parts;
    const auto serial = read_integer(fields.expect(tag::integer));
    const auto date = read_time(fields.any());
    parts.extensions = fields.optional(tag::sequence);
    if (!fields.finished() || !serial || serial->size() > 64 || !date) return std::nullopt;
    parts.serial = *serial;
    parts.date = *date;
    return parts;
}

}  // namespace

std::optional<IssuingDistributionPoint> read_issuing_point(Reader value) {
    IssuingDistributionPoint point;
    Reader fields(value.expect(tag::sequence));
    if (fields.at_end()) return std::nullopt;  // RFC 5280 5.2.5: never empty
    if (auto name = fields.optional(tag::context_constructed(0)))
        if (!(point.name = read_distribution_point_name(*name))) return std::nullopt;
    const auto flag = [&](unsigned number, bool& target) {
        const auto element = fields.optional(tag::context(number));
        if (!element) return true;
        const auto stated = read_boolean(*element);
        target = stated.value_or(false);
        return stated.has_value();
    };
    if (!flag(1, point.only_user) || !flag(2, point.only_ca)) return std::nullopt;
    if (auto reasons = fields.optional(tag::context(3)))
        if (!(point.only_reasons = read_reasons(*reasons))) return std::nullopt;
    if (!flag(4, point.indirect) || !flag(5, point.only_attribute)) return std::nullopt;
    if (!value.finished() || !fields.finished()) return std::nullopt;
    // RFC 5280 5.2.5: at most one of the three.
    if (point.only_user + point.only_ca + point.only_attribute > 1) return std::nullopt;
    return point;
}

// The walk over one list; alive only inside CertificateList::read.
class CertificateListReader {
public:
    explicit CertificateListReader(CertificateList& list) : list_(list) {}

    std::string read() {
        Reader outer{list_.der()};
        Reader parts(outer.expect(tag::sequence));
        const auto tbs = parts.expect(tag::sequence);
        list_.tbs = tbs.whole;
        list_.signature_algorithm = parts.expect(tag::sequence).whole;
        const auto signature = read_bit_string(parts.expect(tag::bit_string));
        if (!outer.finished() || !parts.finished() || !signature || signature->unused != 0)
            return "it is not one DER structure of three parts";
        list_.signature = signature->bytes;
        return read_tbs(tbs);
    }

private:
    std::string read_tbs(const Element& tbs) {
        Reader fields(tbs);
        if (auto problem = read_head(fields); !problem.empty()) return problem;
        const auto revoked = fields.optional(tag::sequence);
        const auto extensions = fields.optional(tag::context_constructed(0));
        if (!fields.finished()) return "its head is malformed";
        if (extensions && list_.version != 2) return "a list of version 1 has extensions";
        // Before the entries: whether certificateIssuer may stand there depends on them.
        if (extensions)
            if (auto problem = read_list_extensions(*extensions); !problem.empty()) return problem;
        return revoked ? read_entries(*revoked) : "";
    }

    std::string read_head(Reader& fields) {
        if (auto version = fields.optional(tag::integer)) {
            if (read_unsigned(*version) != 1u) return "its version is not 2";
            list_.version = 2;
        }
        if (!equal(fields.expect(tag::sequence).whole, list_.signature_algorithm))
            return "its two signature algorithms differ";
        auto issuer = Name::read(fields.expect(tag::sequence));
        if (!issuer || issuer->empty()) return "its issuer is malformed or empty";
        list_.issuer = std::move(*issuer);
        list_.issuers_.push_back(list_.issuer);
        const auto this_update = read_time(fields.any());
        if (!this_update) return "its thisUpdate is malformed";
        list_.this_update = *this_update;
        auto next = fields.optional(tag::utc_time);
        if (!next) next = fields.optional(tag::generalized_time);
        if (next && !(list_.next_update = read_time(*next))) return "its nextUpdate is malformed";
        return {};
    }

    std::string read_list_extensions(const Element& wrapper) {
        Reader inside(wrapper);
        Reader extensions(inside.expect(tag::sequence));
        if (!inside.finished()) return "its extensions are malformed";
        std::vector<std::string_view> seen;
        while (extensions.more()) {
            const auto extension = read_extension(extensions.any());
            if (!extension || seen.size() == 64) return "its extensions are malformed";
            const auto id = text(extension->oid);
            if (std::ranges::find(seen, id) != seen.end()) return "an extension stands twice";
            seen.push_back(id);
            if (!read_list_extension(id, *extension)) return "extension " + dotted(extension->oid) + " is malformed";
        }
        return extensions.finished() ? "" : "its extensions are malformed";
    }

    bool read_list_extension(std::string_view id, const Extension& extension) {
        const Reader value(extension.value);
        if (id == oid::crl_number) return (list_.number = read_number(value)).has_value();
        if (id == oid::delta_crl_indicator) return (list_.base_number = read_number(value)).has_value();
        if (id == oid::issuing_distribution_point)
            return (list_.distribution_point = read_issuing_point(value)).has_value();
        if (id == oid::authority_key_identifier) return read_authority_key(value);
        if (id == oid::freshest_crl) return read_distribution_points(value, list_.freshest_crl_points);
        if (id == oid::authority_information_access) return read_access(value);
        if (extension.critical && list_.unusable.empty())
            list_.unusable = "the list has the unknown critical extension " + dotted(extension.oid);
        return true;
    }

    bool read_access(Reader value) {
        InformationAccess access;
        const bool good = read_information_access(value, access);
        list_.ca_issuer_urls = std::move(access.ca_issuers);
        return good;
    }

    bool read_authority_key(Reader value) {
        Reader fields(value.expect(tag::sequence));
        if (auto id = fields.optional(tag::context(0)))
            list_.authority_key_id.assign(id->content.begin(), id->content.end());
        return value.finished() && !fields.failed();
    }

    std::string read_entries(const Element& revoked) {
        Reader entries(revoked);
        if (entries.at_end()) return "its entries are there and empty (RFC 5280 5.1.2.6)";
        const auto* start = list_.der().data();
        // Counted first: an index that grows by doubling would for a moment take three times its size.
        std::size_t count = 0;
        for (Reader walk = entries; walk.more(); ++count) walk.any();
        list_.entries_.reserve(count);
        while (entries.more()) {
            const auto element = entries.any();
            const auto parts = read_entry(element);
            if (!parts) return "entry " + std::to_string(list_.entries_.size() + 1) + " is malformed";
            if (parts->extensions)
                if (auto problem = read_entry_extensions(*parts->extensions); !problem.empty())
                    return "entry " + std::to_string(list_.entries_.size() + 1) + ": " + problem;
            list_.entries_.push_back({serial_prefix(parts->serial),
                                      static_cast<std::uint32_t>(element.whole.data() - start), current_issuer_});
        }
        if (!entries.finished()) return "its entries are not DER";
        const auto before = [this](const auto& left, const auto& right) { return list_.before(left, right); };
        if (!std::ranges::is_sorted(list_.entries_, before)) std::ranges::sort(list_.entries_, before);
        return {};
    }

    std::string read_entry_extensions(const Element& list) {
        if (list_.version != 2) return "a list of version 1 has entry extensions";
        Reader extensions(list);
        while (extensions.more()) {
            const auto extension = read_extension(extensions.any());
            if (!extension) return "its extensions are malformed";
            const auto id = text(extension->oid);
            if (id == oid::crl_reason) {
                if (!read_reason(Reader(extension->value))) return "its reason is malformed";
            } else if (id == oid::certificate_issuer) {
                if (!change_issuer(Reader(extension->value))) return "its certificateIssuer is malformed or misplaced";
            } else if (extension->critical && id != oid::hold_instruction && id != oid::invalidity_date &&
                       list_.unusable.empty()) {
                list_.unusable = "an entry has the unknown critical extension " + dotted(extension->oid);
            }
        }
        return extensions.failed() ? "its extensions are malformed" : "";
    }

    // RFC 5280 5.3.3: holds for this entry and those after it, until the next one.
    bool change_issuer(Reader value) {
        if (!list_.distribution_point || !list_.distribution_point->indirect) return false;
        const auto names = read_general_names(Reader(value.expect(tag::sequence)));
        if (!value.finished() || !names || list_.issuers_.size() == CertificateList::issuer_limit) return false;
        const auto named = std::ranges::find(*names, NameKind::directory, &GeneralName::kind);
        if (named == names->end()) return false;
        if (*named->directory == list_.issuers_[current_issuer_]) return true;
        list_.issuers_.push_back(*named->directory);
        current_issuer_ = static_cast<std::uint32_t>(list_.issuers_.size() - 1);
        return true;
    }

    CertificateList& list_;
    std::uint32_t current_issuer_ = 0;
};

Outcome<CertificateList> CertificateList::read(Bytes der) {
    if (der.size() > size_limit) return Failure{"crl-unverifiable", "the list is larger than 64 MB"};
    CertificateList list(std::move(der));
    if (auto problem = CertificateListReader(list).read(); !problem.empty())
        return Failure{"crl-unverifiable", "the list cannot be read: " + problem};
    return list;
}

BytesView CertificateList::serial_at(const Entry& entry) const {
    Reader element(der().subspan(entry.offset));
    Reader fields(element.expect(tag::sequence));
    return fields.expect(tag::integer).content;
}

bool CertificateList::before(const Entry& left, const Entry& right) const {
    if (left.prefix != right.prefix) return left.prefix < right.prefix;
    return serial_before(serial_at(left), serial_at(right));
}

std::optional<Revocation> CertificateList::find(std::string_view serial, const Name& certificate_issuer) const {
    const auto wanted = bytes(serial);
    const auto prefix = serial_prefix(wanted);
    auto at = std::ranges::lower_bound(entries_, prefix, {}, &Entry::prefix);
    std::optional<Revocation> found;
    for (; at != entries_.end() && at->prefix == prefix; ++at) {
        if (!equal(serial_at(*at), wanted) || !(issuers_[at->issuer] == certificate_issuer)) continue;
        Reader element(der().subspan(at->offset));
        const auto parts = read_entry(element.any());
        if (!parts) continue;
        Revocation revocation{parts->date, RevocationReason::unspecified};
        for (Reader extensions(parts->extensions.value_or(Element{})); extensions.more();) {
            const auto extension = read_extension(extensions.any());
            if (extension && text(extension->oid) == oid::crl_reason)
                revocation.reason = read_reason(Reader(extension->value)).value_or(RevocationReason::unspecified);
        }
        // Twice in one list: what revokes beats what releases.
        if (!found || found->reason == RevocationReason::remove_from_crl) found = revocation;
    }
    return found;
}

int compare_numbers(BytesView left, BytesView right) {
    if (left.size() != right.size()) return left.size() < right.size() ? -1 : 1;
    return serial_before(left, right) ? -1 : serial_before(right, left) ? 1 : 0;
}

std::string_view name_of(RevocationReason reason) {
    switch (reason) {
        case RevocationReason::unspecified:
            return "unspecified";
        case RevocationReason::key_compromise:
            return "keyCompromise";
        case RevocationReason::ca_compromise:
            return "cACompromise";
        case RevocationReason::affiliation_changed:
            return "affiliationChanged";
        case RevocationReason::superseded:
            return "superseded";
        case RevocationReason::cessation_of_operation:
            return "cessationOfOperation";
        case RevocationReason::certificate_hold:
            return "certificateHold";
        case RevocationReason::remove_from_crl:
            return "removeFromCRL";
        case RevocationReason::privilege_withdrawn:
            return "privilegeWithdrawn";
        case RevocationReason::aa_compromise:
            return "aACompromise";
    }
    return "unspecified";
}

}  // namespace postern::x509
