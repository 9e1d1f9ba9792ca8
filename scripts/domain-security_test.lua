-- What domain-security.lua is to answer.

local mutual = { tls = "mutual" }

test.case("listed domains need mutual TLS, each way by its own list", function()
    local listed = { receive = { "woodgrovebank.com" }, send = { ".fabrikam.com" } }
    local from = { envelope = { sender = "eve@woodgrovebank.com" }, listed = listed }
    test.equal(test.ask("mail", from).requirement, mutual)
    local to = { envelope = { recipients = { "bob@eu.fabrikam.com" } }, listed = listed }
    test.equal(test.ask("outbound_requirement", to).requirement, mutual)
    to.envelope.recipients = { "eve@woodgrovebank.com" }
    test.equal(test.ask("outbound_requirement", to).requirement, nil)
end)

test.case("nothing is demanded of others", function()
    test.matches(test.ask("mail", { listed = false }), { verdict = "proceed", spoke = false })
    test.matches(test.ask("outbound_requirement", { listed = false }), { verdict = "proceed", spoke = false })
end)
