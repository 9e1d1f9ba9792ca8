// What a client says, in pieces: the machine answers every command, never runs away, and every reply line is one.
#include <cstdlib>
#include <smtp/server_session.hpp>

namespace {

using namespace postern;

void check(const std::string& output) {
    for (std::size_t at = 0; at < output.size();) {
        const auto end = output.find("\r\n", at);
        if (end == std::string::npos || end - at > 510 || end - at < 4) std::abort();
        for (auto i = at; i < end; ++i)
            if (static_cast<unsigned char>(output[i]) < 32) std::abort();
        at = end + 2;
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 1) return 0;
    smtp::ServerSettings settings;
    settings.fqdn = "mail1.contoso.com";
    settings.starttls = smtp::StartTls::offered;
    settings.binary_mime = true;
    smtp::ServerSession machine(settings, smtp::ServerPeer{"192.0.2.1", "0000000000000001"});
    const std::size_t piece = data[0] + 1u;
    std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
    for (int step = 0; step < 100000; ++step) {
        switch (machine.next()) {
            case smtp::ServerDo::read:
                if (rest.empty()) {
                    machine.peer_closed();
                } else {
                    machine.feed(rest.substr(0, piece));
                    rest.remove_prefix(std::min(piece, rest.size()));
                }
                break;
            case smtp::ServerDo::send:
                break;
            case smtp::ServerDo::ask:
                machine.answer(Verdict::proceed());
                break;
            case smtp::ServerDo::start_tls:
                machine.tls_established();
                break;
            case smtp::ServerDo::header:
                machine.header_stored();
                break;
            case smtp::ServerDo::body:
                machine.body_stored();
                break;
            case smtp::ServerDo::commit:
                machine.committed({250, "2.6.0", "Queued"});
                break;
            case smtp::ServerDo::close:
                check(machine.take_output());
                return 0;
        }
        check(machine.take_output());
    }
    std::abort();  // it never ended
}
