-- Domain Security, written as a policy.
--
-- A domain on a secure list exchanges mail with us over mutual TLS, or not at all. The core holds this by itself, for
-- every listed domain, whatever any script says: this file adds nothing to it. It is here to be read, as the shortest
-- whole example of a policy, and it keeps the demand in force should somebody replace a partner's floor by a script.
--
-- Domains stand in the lists of postern.conf, never here: one place to look, one place to change.

-- The receive list: who may send to us only with a certificate.
postern.on("mail", function(session, envelope)
    if postern.listed("receive", envelope.domain) then
        return { tls = "mutual" }
    end
end)

-- The send list: to whom we send only when they prove who they are, and we prove who we are.
postern.on("outbound_requirement", function(session, envelope)
    if postern.listed("send", envelope.domain) then
        return { tls = "mutual" }
    end
end)
