-- What woodgrovebank.com.lua is to answer: postern policy test scripts/examples

local wanted = { tls = "mutual", min_tls = "1.3", issuer = { "O=Woodgrove Bank" } }

test.case("their mail needs TLS 1.3 and a certificate of their own issuer", function()
    local answer = test.ask("mail", { envelope = { sender = "eve@woodgrovebank.com" } })
    test.equal(answer.verdict, "proceed")
    test.equal(answer.requirement, wanted)
end)

test.case("so does mail to them", function()
    test.matches(test.ask("outbound_requirement"), { verdict = "proceed", requirement = wanted })
end)
