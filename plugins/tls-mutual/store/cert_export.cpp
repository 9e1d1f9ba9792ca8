#include <unistd.h>

#include <filesystem>
#include <tls-mutual/identity.hpp>
#include <tls-mutual/store/cert_export.hpp>
#include <tls-mutual/store/containers.hpp>
#include <tls-mutual/store/password.hpp>

namespace postern::tls_mutual {
namespace {

// The form that was asked for, or that the file's name stands for.
std::string form_of(const Arguments& arguments) {
    if (arguments.has("--form")) return arguments.value("--form");
    const auto ending = lower(std::filesystem::path(arguments.value("--output")).extension().string());
    if (ending == ".cer" || ending == ".der") return "der";
    return ending == ".p12" || ending == ".pfx" ? "p12" : "pem";
}

Outcome<Secret> with_key(const CommandContext& context, const Arguments& arguments, const StoredCertificate& stored) {
    if (!stored.about.token_key.empty())
        return Failure{"not-exportable", stored.file +
                                             ": the key lies in a token and cannot leave it; export the "
                                             "certificate alone with --form pem or der"};
    if (!stored.about.exportable)
        return Failure{"not-exportable", stored.file +
                                             ": the key was not made --exportable and stays here; export the "
                                             "certificate alone with --form pem or der, or make a new one: "
                                             "postern cert clone " +
                                             stored.leaf.sha256.substr(0, 16) + " --request --exportable"};
    const auto encryption = arguments.value("--encryption", "modern");
    if (encryption != "modern" && encryption != "legacy")
        return Failure{"usage", "--encryption knows modern and legacy, not " + encryption};
    auto file = context.store.open(stored.file);
    if (!file) return file.failure;
    int status = 0;
    const auto pem = key_block(file->text());
    const auto key = import_key({reinterpret_cast<const std::uint8_t*>(pem.data()), pem.size()}, status);
    if (status < 0) return Failure{"store-damaged", stored.file + ": its key cannot be read; restore it from a backup"};
    const auto secret = password(arguments, arguments.value("--output"), Ask::twice);
    if (!secret) return secret.failure;
    if (secret->bytes.empty())
        return Failure{"password", "a PKCS#12 file with a key needs a password that is not empty; nothing was written"};
    return make_pkcs12(stored.chain, key.get(), stored.about.friendly_name, *secret,
                       encryption == "legacy" ? Encryption::legacy : Encryption::modern);
}

std::string without_key(const StoredCertificate& stored, const std::string& form, bool chain) {
    if (form == "der") return {stored.leaf.der.begin(), stored.leaf.der.end()};
    std::string text;
    for (const auto& der : stored.chain) {
        text += pem_block(der, "CERTIFICATE");
        if (!chain) break;
    }
    return text;
}

VerbResult report(const Arguments& arguments, const std::string& sha256, const std::string& form,
                  const std::string& what) {
    const auto output = arguments.value("--output");
    if (arguments.has("--json"))
        return {0, Json().add("sha256", sha256).add("file", output).add("form", form).text() + "\n", {}};
    return {0, output + ": " + what + "\n", {}};
}

VerbResult hand_out(const Arguments& arguments, const std::string& sha256, const std::string& form,
                    const std::string& text, const std::string& what) {
    const auto output = arguments.value("--output");
    if (output.empty() && arguments.has("--json"))
        return {0, Json().add("sha256", sha256).add("form", form).add("pem", text).text() + "\n", {}};
    if (output.empty()) return {0, text, {}};
    if (auto written = write_file(output, text, 0644); !written) return refused(written.failure);
    return report(arguments, sha256, form, what);
}

std::optional<Failure> check_output(const std::string& form, const std::string& output) {
    if (form != "pem" && form != "der" && form != "p12")
        return Failure{"usage", "--form knows pem, der and p12, not " + form};
    if (output.empty() && form != "pem") return Failure{"usage", "--form " + form + " needs --output FILE"};
    if (!output.empty() && ::access(output.c_str(), F_OK) == 0)
        return Failure{"usage", output + " exists; name another file, or remove it first"};
    return std::nullopt;
}

// A request once more, where its file was lost on the way to the CA.
VerbResult export_request(const Arguments& arguments, const PendingRequest& request, const std::string& form) {
    if (form == "p12") return refused({"usage", request.key_sha256 + " is a request; --form pem or der"});
    const auto text = form == "der" ? std::string(request.der.begin(), request.der.end())
                                    : pem_block(request.der, "CERTIFICATE REQUEST");
    return hand_out(arguments, request.key_sha256, form, text, "the request; have a CA sign it");
}

}  // namespace

VerbResult cert_export(const CommandContext& context, const Arguments& arguments) {
    const auto contents = context.store.read();
    const auto form = form_of(arguments), output = arguments.value("--output");
    if (auto bad = check_output(form, output)) return refused(*bad);
    if (const auto* request = contents.request_for(lower(arguments.plain().front())))
        return export_request(arguments, *request, form);
    const auto found = contents.find(arguments.plain().front());
    if (!found) return refused(found.failure);
    const auto& stored = **found;
    if (form != "p12")
        return hand_out(arguments, stored.leaf.sha256, form, without_key(stored, form, arguments.has("--chain")),
                        "the certificate, without its key");
    const auto packed = with_key(context, arguments, stored);
    if (!packed) return refused(packed.failure);
    if (auto written = write_file(output, packed->text(), 0600); !written) return refused(written.failure);
    return report(arguments, stored.leaf.sha256, form, "certificate and key as PKCS#12; keep it safe");
}

}  // namespace postern::tls_mutual
