-- partners/litwareinc.com.lua: a partner in the middle of a merger, watched for a while.
--
-- Large messages wait for a human (postern queue release ID); everything that was judged is noted in the log with the
-- name by which the certificate spoke, and towards them TLS 1.3 is demanded.
local large = 10 * 1024 * 1024

postern.on("peer_judged", function(session, envelope, event)
    return postern.evidence("litware-merger", event.client_name .. " " .. event.standing)
end)

postern.on("message_end", function(session, envelope, event)
    if event.size > large then
        return postern.hold("more than 10 MiB from " .. envelope.partner)
    end
end)

postern.on("outbound_requirement", function(session, envelope)
    return { min_tls = "1.3" }
end)
