#include <algorithm>
#include <mail/header.hpp>
#include <net/marks.hpp>
#include <queue/notice.hpp>

namespace postern::net {

static bool starts_folded(std::string_view text, std::string_view prefix) {
    return text.size() >= prefix.size() && std::equal(prefix.begin(), prefix.end(), text.begin(), [](char a, char b) {
               return a == (b >= 'A' && b <= 'Z' ? b + 32 : b);
           });
}

// What only we may say: our Authentication-Results (or one whose speaker cannot be read), and X-Postern-*.
static bool is_mark(const config::Settings& settings, const mail::HeaderField& field) {
    if (starts_folded(field.name, "x-postern-")) return true;
    if (!mail::named(field, "Authentication-Results")) return false;
    const auto speaker = mail::authserv_id(field.body);
    return speaker.empty() || speaker == settings.authserv_id;
}

static std::string protocol(const MarkFacts& facts) {
    if (!facts.extended) return "SMTP";
    if (facts.smtputf8) return facts.tls ? "UTF8SMTPS" : "UTF8SMTP";  // RFC 6531 4.3
    return facts.tls ? "ESMTPS" : "ESMTP";
}

static std::string clean(std::string_view text) {
    std::string safe;
    for (unsigned char c : text)
        safe += c > 32 && c < 127 && c != '(' && c != ')' && c != '\\' ? static_cast<char>(c) : '_';
    return safe;
}

// RFC 5321 4.4, RFC 3848, RFC 8314 7.4.
static std::string received(const MarkFacts& facts) {
    std::string text = "Received: from " + clean(facts.helo.empty() ? "unknown" : facts.helo) + " ([" +
                       clean(facts.remote_address) + "])\r\n";
    text += "\tby " + facts.connector->fqdn + " with " + protocol(facts);
    if (facts.tls)
        text += " tls " + clean(facts.tls->cipher) + "\r\n\t(version " + clean(facts.tls->protocol) +
                (facts.tls->resumed ? ", resumed)" : ")");
    if (!facts.outcome->client_name.empty() && facts.outcome->domain_secured)
        text += "\r\n\t(verified client " + clean(facts.outcome->client_name) + ")";
    return text + "\r\n\tid " + facts.queue_id + "; " + queue::rfc5322_date(facts.now) + "\r\n";
}

static std::string results(const MarkFacts& facts, std::string_view result, std::string_view more) {
    return "Authentication-Results: " + facts.settings->authserv_id + ";\r\n\t" + facts.settings->method + "=" +
           std::string(result) + std::string(more) + "\r\n";
}

static std::string secured_results(const MarkFacts& facts, const mail::FromDomains& from) {
    const bool whole = from.single && from.domains.front() == facts.domain;
    std::string more = " smtp.mailfrom=" + facts.domain;
    if (from.single) more += "\r\n\theader.from=" + from.domains.front();
    more += " policy.tls=" + clean(facts.tls->protocol) + "\r\n\tpolicy.revocation=" + facts.outcome->revocation +
            " policy.client=" + clean(facts.outcome->client_name);
    return results(facts, whole ? "pass" : "policy", more);
}

// The listed domain that From: claims without proof, or empty.
static std::string claimed(const MarkFacts& facts, const mail::FromDomains& from) {
    for (const auto& domain : from.domains) {
        const bool proven = facts.outcome->domain_secured && domain == facts.domain;
        if (!proven && !facts.settings->receive_list.entry_for(domain).empty()) return domain;
    }
    return {};
}

MarkedHeader mark(const MarkFacts& facts, std::string_view header) {
    MarkedHeader marked;
    std::string kept(header);
    if (!facts.keeps_marks)
        kept = mail::without(header, [&](const mail::HeaderField& field) { return is_mark(*facts.settings, field); });
    std::string ours;
    if (!facts.keeps_marks) {
        const auto from = mail::from_domains(header);
        const auto binding = facts.connector->bind_header_from;
        const auto domain = claimed(facts, from);
        const bool reject = binding == config::HeaderFromBinding::reject ||
                            (binding == config::HeaderFromBinding::tag && facts.null_sender);
        if (!domain.empty() && reject)
            marked.refusal =
                mail::Reply{550, "5.7.1",
                            "From: names " + domain + ", which is accepted only over mutual TLS with its certificate"};
        if (facts.outcome->domain_secured && facts.tls) ours = secured_results(facts, from);
        else if (!domain.empty() && binding != config::HeaderFromBinding::off)
            ours = results(facts, "fail", " header.from=" + domain);
        else if (facts.own_sender) ours = results(facts, "fail", " smtp.mailfrom=" + facts.domain);
    }
    marked.header = received(facts) + ours + kept;
    return marked;
}

std::string without_marks(const config::Settings& settings, std::string_view message) {
    const auto end = message.find("\r\n\r\n");
    if (end == std::string_view::npos) return std::string(message);
    auto kept = mail::without(message.substr(0, end + 4),
                              [&](const mail::HeaderField& field) { return is_mark(settings, field); });
    return kept += message.substr(end + 4);
}

}  // namespace postern::net
