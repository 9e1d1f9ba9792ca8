// A conversation with the server machine: what net/ does, with a verdict that says yes unless told otherwise.
#pragma once

#include <smtp/server_session.hpp>
#include <string>
#include <vector>

namespace postern::smtp {

// Drives the machine as net/ does, with a verdict that says yes, and records what was committed.
struct Script {
    explicit Script(ServerSettings settings = make())
        : session(std::move(settings), {"192.0.2.9", "08C895F533E837EC"}) {
        run();
    }
    static ServerSettings make() {
        ServerSettings settings;
        settings.fqdn = "mail1.contoso.com";
        settings.starttls = StartTls::offered;
        return settings;
    }
    void run() {
        for (;;) switch (session.next()) {
                case ServerDo::read:
                    output += session.take_output();
                    return;
                case ServerDo::close:
                    output += session.take_output();
                    closed = true;
                    return;
                case ServerDo::start_tls:
                    output += session.take_output();
                    session.tls_established();
                    break;
                case ServerDo::send:
                    output += session.take_output();
                    break;
                case ServerDo::ask:
                    session.answer(verdict);
                    break;
                case ServerDo::header:
                    stored = session.header();
                    session.header_stored();
                    break;
                case ServerDo::body:
                    stored += session.body();
                    session.body_stored();
                    break;
                case ServerDo::commit:
                    committed.push_back(stored);
                    session.committed({250, "2.6.0", "queued"});
                    break;
            }
    }
    std::string say(std::string_view text) {
        output.clear();
        session.feed(text);
        run();
        return output;
    }
    ServerSession session;
    Verdict verdict;
    std::string output, stored;
    std::vector<std::string> committed;
    bool closed = false;
};

}  // namespace postern::smtp
