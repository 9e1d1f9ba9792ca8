-- partners/fabrikam.com.lua: a partner with whom only invoices are exchanged.
--
-- What is not for the invoice address is refused while the sender is still there to hear it, and what their batch system
-- sends by itself is marked, so that the hub files it apart.
local allowed = { ["invoices@contoso.com"] = true, ["postmaster@contoso.com"] = true }

postern.on("recipient", function(session, envelope, event)
    if not allowed[event.recipient:lower()] then
        return postern.reject("policy: from " .. envelope.partner .. " we take mail for invoices@contoso.com alone")
    end
end)

postern.on("header_end", function(session, envelope, event)
    for _, field in ipairs(event.fields) do
        if field.name:lower() == "auto-submitted" and field.value ~= "no" then
            return postern.add_field("X-Partner-Batch", envelope.partner)
        end
    end
end)
