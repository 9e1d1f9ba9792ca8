-- What litwareinc.com.lua is to answer.

test.case("a judgement is noted with the name that spoke", function()
    local answer = test.ask("peer_judged", { event = { client_name = "mail1.litwareinc.com", standing = "passes" } })
    test.equal(answer.effects,
        { { effect = "evidence", name = "litware-merger", value = "mail1.litwareinc.com passes" } })
end)

test.case("a large message waits, one of just that size does not", function()
    local answer = test.ask("message_end", { event = { size = 10 * 1024 * 1024 + 1 } })
    test.equal(answer.effects, { { effect = "hold", value = "more than 10 MiB from litwareinc.com" } })
    test.equal(test.ask("message_end", { event = { size = 10 * 1024 * 1024 } }).effects, {})
end)

test.case("TLS 1.3 is demanded towards them, and nothing more", function()
    test.equal(test.ask("outbound_requirement").requirement, { min_tls = "1.3" })
end)
