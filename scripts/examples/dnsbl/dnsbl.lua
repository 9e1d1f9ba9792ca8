-- Asks a DNS list about clients that no secure list names (RFC 5782), and defers those that stand on it. This is a whole
-- scripts folder: the file, and data/friends.cidr with the networks that are not asked about.
local zone = "dnsbl.example.org"
local friends = postern.networks("friends.cidr")

postern.on("mail", function(session, envelope)
    if envelope.partner or friends:find(session.remote_address) then
        return nil
    end
    local name = postern.reverse(session.remote_address) .. "." .. zone
    local found, token, why = postern.dns("A", name)
    if not found then
        -- A list that is down stops nobody's mail.
        if token ~= "nxdomain" and token ~= "no-data" then
            postern.log("dnsbl not asked", { zone = zone, why = why })
        end
        return nil
    end
    local reasons = postern.dns("TXT", name)
    postern.log("on a DNS list", { zone = zone, client = session.remote_address, answer = found[1] })
    return postern.defer("policy: " .. session.remote_address .. " stands on " .. zone .. ": "
        .. (reasons and reasons[1] or "no reason given"))
end)
