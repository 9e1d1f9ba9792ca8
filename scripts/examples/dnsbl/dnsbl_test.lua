-- What dnsbl.lua is to answer. The look-ups are the test's own: nothing is asked of any server.

local name = "1.100.51.198.dnsbl.example.org"

local function from(address, dns, listed)
    return test.ask("mail", {
        session = { remote_address = address },
        envelope = { sender = "x@example.org" },
        lookups = { dns = dns },
        listed = listed,
    })
end

test.case("who stands on the list is deferred, with its reason", function()
    local answer = from("198.51.100.1", { A = { [name] = "127.0.0.2" }, TXT = { [name] = "sends spam" } })
    test.equal(answer.reply, "451 4.7.1 policy: 198.51.100.1 stands on dnsbl.example.org: sends spam")
    answer = from("198.51.100.1", { A = { [name] = "127.0.0.2" }, TXT = { [name] = { failure = "no-data" } } })
    test.contains(answer.reply, "no reason given")
end)

test.case("who does not passes", function()
    test.matches(from("198.51.100.1", { A = { [name] = { failure = "nxdomain" } } }), { verdict = "proceed" })
    test.matches(from("198.51.100.1", { A = { [name] = { failure = "no-data" } } }), { verdict = "proceed" })
end)

test.case("a list that is down stops nobody's mail", function()
    test.matches(from("198.51.100.1", { A = { [name] = { failure = "dns-failed" } } }), { verdict = "proceed" })
end)

test.case("friends and partners are not asked about", function()
    test.matches(from("192.0.2.1", {}), { verdict = "proceed", spoke = false })
    test.matches(from("198.51.100.1", {}, "example.org"), { verdict = "proceed", spoke = false })
end)
