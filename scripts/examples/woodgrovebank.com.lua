-- Woodgrove Bank, tightened: TLS 1.3 only, and only certificates of the bank's own issuer.
--
-- To use it, copy it to scripts/partners/ under the name of the entry in the secure list (woodgrovebank.com.lua), put in
-- your partner's issuer, and reload. It runs for this partner's mail alone; should it fail, that mail alone is deferred.

local requirement = {
    tls = "mutual",
    min_tls = "1.3",
    -- Part of an issuer's name (RFC 4514 text, as session.tls.issuer shows it) in the verified path.
    issuer = "O=Woodgrove Bank",
}

postern.on("mail", function(session, envelope)
    return requirement
end)

postern.on("outbound_requirement", function(session, envelope)
    return requirement
end)
