-- What fabrikam.com.lua is to answer.

local function recipient(address)
    return test.ask("recipient", { event = { recipient = address } })
end

test.case("invoices are taken, however the address is written", function()
    test.matches(recipient("invoices@contoso.com"), { verdict = "proceed", spoke = false })
    test.matches(recipient("Invoices@Contoso.com"), { verdict = "proceed", spoke = false })
    test.matches(recipient("postmaster@contoso.com"), { verdict = "proceed", spoke = false })
end)

test.case("everybody else is refused, with the reason", function()
    local answer = recipient("bob@contoso.com")
    test.equal(answer.verdict, "reject")
    test.equal(answer.reply, "550 5.7.1 policy: from fabrikam.com we take mail for invoices@contoso.com alone")
end)

local function effects_of(header)
    return test.ask("header_end", { event = { header = header } }).effects
end

test.case("what their batch system sends by itself is marked", function()
    local mark = { effect = "add_field", name = "X-Partner-Batch", value = "fabrikam.com" }
    test.equal(effects_of("Subject: batch\nAuto-Submitted: auto-generated"), { mark })
end)

test.case("what a human sends is not", function()
    test.equal(effects_of("Subject: hello"), {})
    test.equal(effects_of("AUTO-SUBMITTED: no"), {})
end)
