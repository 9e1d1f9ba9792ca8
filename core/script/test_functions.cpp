#include <script/test_functions.hpp>

namespace postern::script {

namespace {

constexpr ApiParameter case_parameters[] = {{"name", "string", "what holds, as the report prints it"},
                                            {"body", "fun()", "runs with a fresh script"}};
constexpr ApiParameter ask_parameters[] = {{"event", "postern.EventName", "one of docs/events.md"},
                                           {"fake", "test.Fake?", "what the script is to see"}};
constexpr ApiParameter tick_parameters[] = {{"which", "integer", "1 for the first postern.every of the script"},
                                            {"fake", "test.Fake?", "what the script is to see"}};
constexpr ApiParameter equal_parameters[] = {{"got", "any", "what came"},
                                             {"wanted", "any", "the same value; tables entry by entry"},
                                             {"what", "string?", "stands before the message of a failure"}};
constexpr ApiParameter matches_parameters[] = {{"got", "table", "what came"},
                                               {"wanted", "table", "fields that it has at least"},
                                               {"what", "string?", "stands before the message of a failure"}};
constexpr ApiParameter contains_parameters[] = {{"got", "string|any[]", "a text or a list"},
                                                {"part", "any", "a part of the text, or an entry of the list"},
                                                {"what", "string?", "stands before the message of a failure"}};
constexpr ApiParameter failed_parameters[] = {{"answer", "test.Answer", "of test.ask or test.tick"},
                                              {"part", "string?", "a part of the reason"}};

constexpr ApiRow rows[] = {
    {"case", case_parameters, "", "A case; each begins with a fresh script. At the top of a file."},
    {"ask", ask_parameters, "test.Answer",
     "Has the script decide, in the daemon's sandbox and within its limits. In a case."},
    {"tick", tick_parameters, "test.Answer", "Calls a function of postern.every. In a case."},
    {"equal", equal_parameters, "", "Fails the case unless the two are the same."},
    {"matches", matches_parameters, "", "Fails the case unless the table has at least these fields."},
    {"contains", contains_parameters, "", "Fails the case unless the text or the list has that part."},
    {"failed", failed_parameters, "", "Fails the case unless the script failed, for a reason with that part."},
};

}  // namespace

std::span<const ApiRow> test_rows() { return rows; }

std::vector<ApiClass> test_classes() {
    return {
        {"test.Fake",
         "What the script is to see; everything may be left out.",
         {{"session", "table?",
           "id, connector, remote_address, helo, outbound, and tls: false in clear, or version, cipher, subject, "
           "issuer, "
           "serial, sha256, names"},
          {"envelope", "table?", "sender, recipients, domain"},
          {"event", "table?", "its details; at header_end and message_end also header or fields"},
          {"lookups", "table?", "{ dns = { TYPE = { [name] = records } }, http = { [url] = body } }"},
          {"listed", "string|string[]|table|false|nil", "what stands on the secure lists"}}},
        {"test.Answer",
         "What the script decided.",
         {{"verdict", "\"proceed\"|\"defer\"|\"reject\"", "what becomes of the step"},
          {"reply", "string?", "what the peer is told"},
          {"requirement", "table?", "what the script demands; issuer and names are lists"},
          {"effects", "table[]", "{ effect = \"add_field\", name = \"X-A\", value = \"1\" }"},
          {"spoke", "boolean", "it returned something"},
          {"failed", "boolean", "it failed"},
          {"why", "string?", "file:line: cause"}}},
    };
}

}  // namespace postern::script
