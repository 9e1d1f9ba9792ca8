// trust_anchor_fault of dns_context.hpp: reads the file as libunbound will, before anything depends on it.
#include <unbound.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <net/dns_context.hpp>
#include <sstream>

namespace postern::net {

namespace {

bool holds_anchor(std::istream& lines) {
    for (std::string line; std::getline(lines, line);) {
        std::istringstream words(line.substr(0, line.find(';')));
        for (std::string word; words >> word;)
            if (word == "DS" || word == "DNSKEY" || word == "ds" || word == "dnskey") return true;
    }
    return false;
}

// The first sentence of "[TIME] libunbound[PID:THREAD] error: SENTENCE" lines.
std::string first_sentence(std::string said) {
    said = said.substr(0, said.find('\n'));
    const auto begin = said.find("] ", said.find("libunbound"));
    if (begin != std::string::npos) said.erase(0, begin + 2);
    for (const char* level : {"error: ", "warning: ", "notice: ", "info: "})
        if (said.starts_with(level)) said.erase(0, std::strlen(level));
    return said;
}

// What libunbound says while it takes the file up: nothing, if all is well.
std::string objection(const std::string& file) {
    char* said = nullptr;
    std::size_t size = 0;
    std::FILE* ear = ::open_memstream(&said, &size);
    auto* context = ear ? ub_ctx_create() : nullptr;
    std::string objected = "out of memory";
    if (context) {
        ub_ctx_debugout(context, ear);
        ub_ctx_add_ta_file(context, file.c_str());
        // Local data makes it settle its configuration; nothing is asked of anybody.
        const int status = ub_ctx_data_add(context, "localhost. IN A 127.0.0.1");
        ub_ctx_debugout(context, stderr);  // this one is all contexts'
        ub_ctx_delete(context);
        std::fflush(ear);
        objected = first_sentence(std::string(said, size));
        if (status != 0 && objected.empty()) objected = ub_strerror(status);
        // Another context of this process may have spoken meanwhile.
        if (status == 0 && objected.find("anchor") == std::string::npos) objected.clear();
    }
    if (ear) std::fclose(ear);
    std::free(said);
    return objected;
}

}  // namespace

std::string trust_anchor_fault(const std::string& file) {
    std::ifstream lines(file);
    if (!lines) return "the trust anchor " + file + " cannot be read: " + std::strerror(errno);
    if (!holds_anchor(lines)) return "the file " + file + " holds no trust anchor (no DS or DNSKEY record)";
    const auto objected = objection(file);
    return objected.empty() ? "" : "the trust anchor " + file + " is none: " + objected;
}

}  // namespace postern::net
