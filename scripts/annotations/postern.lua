---@meta postern
-- Printed by `posternd --print-lua-annotations`: what policy scripts can call and see, for editors with LuaLS.
-- Put this folder into the setting workspace.library.

postern = {}

---@class postern.Verdict
---@class postern.Effect
---@class postern.Map
local Map = {}
---@class postern.Networks
local Networks = {}

--- The first argument; nil where the event has no session.
---@class postern.Session
---@field id string # as in the logs
---@field connector string # the connector's name
---@field remote_address string # the peer's address
---@field helo string # what it called itself, or empty
---@field outbound boolean # true where we send
---@field tls postern.Tls? # nil in clear

--- The connection, and the peer's certificate as presented, not yet verified; nil where it presented none.
---@class postern.Tls
---@field version string # TLS1.3 or TLS1.2
---@field cipher string # its IANA name: TLS_AES_256_GCM_SHA384
---@field subject string? # RFC 4514 text
---@field issuer string? # RFC 4514 text
---@field serial string? # upper-case hex
---@field sha256 string? # thumbprint
---@field names string[]? # its DNS names

--- The second argument; nil before MAIL.
---@class postern.Envelope
---@field sender string # without brackets; empty for <>
---@field sender_domain string # canonical, or empty
---@field recipients string[] # addresses; empty at mail
---@field domain string # the domain in question, canonical
---@field partner string? # the listed entry that it matches

--- The third argument; its details beside these stand in events.md.
---@class postern.Event
---@field name postern.EventName # which it is
---@field header string # at header_end and message_end the header section, else empty
---@field fields {name: string, value: string}[] # the same, values unfolded

--- What a handler demands of the peer: a table with at least one of these.
---@class postern.Requirement
---@field tls "required"|"mutual"? # TLS; certificates both ways, verified and speaking for the domain
---@field min_tls "1.2"|"1.3"? # at least that version
---@field issuer string|string[]? # one occurs in an issuer's name of the verified path; includes tls = "mutual"
---@field names string|string[]? # one is a name of the peer's certificate; includes tls = "mutual"
---@field purpose "client"? # issued for clients (clientAuth); includes tls = "mutual"

---@class postern.StartEvent: postern.Event

---@class postern.ConfigValidateEvent: postern.Event
---@field file string # the configuration's file
---@field generation integer # its number

---@class postern.ConfigReloadedEvent: postern.Event
---@field file string # the configuration's file
---@field generation integer # its number

---@class postern.TimerEvent: postern.Event
---@field tick integer # minutes since the start

---@class postern.ConnectionEvent: postern.Event

---@class postern.EhloEvent: postern.Event

---@class postern.StarttlsEvent: postern.Event

---@class postern.ClientHelloEvent: postern.Event
---@field server_name string # the SNI that the client sent, or empty

---@class postern.TlsEstablishedEvent: postern.Event

---@class postern.TlsFailedEvent: postern.Event
---@field reason string # one sentence

---@class postern.AuthEvent: postern.Event
---@field mechanism string # as asked for, upper case

---@class postern.MailEvent: postern.Event

---@class postern.PeerJudgedEvent: postern.Event
---@field standing string # passes, exception or refused
---@field reason string # the token of the first fault, or empty
---@field sentence string # the fault in plain words, or empty
---@field client_name string # the certificate's name that spoke for the domain, or empty
---@field revocation string # good, short-lived, none or empty
---@field host string # outbound: the host that was judged; inbound: empty

---@class postern.PartnerCertificateEvent: postern.Event
---@field partner string # the listed entry that it was judged for
---@field domain string # the domain in question, canonical
---@field direction string # in or out
---@field connector string # the connector's name
---@field host string # outbound: the host that showed it; inbound: empty
---@field certificate string # SHA-256 of the leaf, lower-case hex
---@field subject string # its subject
---@field not_before integer # when it begins, seconds since 1970
---@field not_after integer # when it ends, likewise
---@field standing string # passes, exception or refused
---@field client_name string # its name that spoke for the domain

---@class postern.RecipientEvent: postern.Event
---@field recipient string # the address asked for
---@field recipient_domain string # its domain, canonical

---@class postern.DataStartEvent: postern.Event
---@field declared_size integer # of SIZE=, 0 where none was given

---@class postern.HeaderEndEvent: postern.Event

---@class postern.MessageEndEvent: postern.Event
---@field queue_id string # under which it will be queued
---@field size integer # octets, with our own header fields

---@class postern.QueuedEvent: postern.Event
---@field queue_id string # under which it will be queued
---@field size integer # octets, with our own header fields

---@class postern.DisconnectEvent: postern.Event
---@field messages integer # accepted in this session

---@class postern.OutboundRequirementEvent: postern.Event

---@class postern.RouteEvent: postern.Event

---@class postern.OutboundConnectEvent: postern.Event
---@field host string # the mail host's name
---@field address string # its address

---@class postern.OutboundEhloEvent: postern.Event
---@field host string # the mail host's name
---@field extensions string # keywords that it offers, one blank between

---@class postern.DeliveryResultEvent: postern.Event
---@field queue_id string # of the message
---@field recipient string # the address
---@field result string # delivered, deferred or bounced
---@field status string # the enhanced status code
---@field text string # what the other side said, or why not
---@field relay string # who took it

---@class postern.NoticeEvent: postern.Event
---@field queue_id string # of the message that the notice is about
---@field recipient string # whom the notice goes to
---@field notice_id string # under which the notice is queued

---@class postern.StopEvent: postern.Event

---@alias postern.EventName "start"|"config_validate"|"config_reloaded"|"timer"|"connection"|"ehlo"|"starttls"|"client_hello"|"tls_established"|"tls_failed"|"auth"|"mail"|"peer_judged"|"partner_certificate"|"recipient"|"data_start"|"header_end"|"message_end"|"queued"|"disconnect"|"outbound_requirement"|"route"|"outbound_connect"|"outbound_ehlo"|"delivery_result"|"notice"|"stop"

--- Has a function called at an event. At the top of a file.
---@overload fun(event: "start", handler: fun(session: nil, envelope: nil, event: postern.StartEvent): ...)
---@overload fun(event: "config_validate", handler: fun(session: nil, envelope: nil, event: postern.ConfigValidateEvent): ...)
---@overload fun(event: "config_reloaded", handler: fun(session: nil, envelope: nil, event: postern.ConfigReloadedEvent): ...)
---@overload fun(event: "timer", handler: fun(session: nil, envelope: nil, event: postern.TimerEvent): ...)
---@overload fun(event: "connection", handler: fun(session: postern.Session, envelope: nil, event: postern.ConnectionEvent): ...)
---@overload fun(event: "ehlo", handler: fun(session: postern.Session, envelope: nil, event: postern.EhloEvent): ...)
---@overload fun(event: "starttls", handler: fun(session: postern.Session, envelope: nil, event: postern.StarttlsEvent): ...)
---@overload fun(event: "client_hello", handler: fun(session: postern.Session, envelope: nil, event: postern.ClientHelloEvent): ...)
---@overload fun(event: "tls_established", handler: fun(session: postern.Session, envelope: nil, event: postern.TlsEstablishedEvent): ...)
---@overload fun(event: "tls_failed", handler: fun(session: postern.Session, envelope: nil, event: postern.TlsFailedEvent): ...)
---@overload fun(event: "auth", handler: fun(session: postern.Session, envelope: nil, event: postern.AuthEvent): ...)
---@overload fun(event: "mail", handler: fun(session: postern.Session, envelope: postern.Envelope, event: postern.MailEvent): ...)
---@overload fun(event: "peer_judged", handler: fun(session: postern.Session, envelope: postern.Envelope, event: postern.PeerJudgedEvent): ...)
---@overload fun(event: "partner_certificate", handler: fun(session: nil, envelope: nil, event: postern.PartnerCertificateEvent): ...)
---@overload fun(event: "recipient", handler: fun(session: postern.Session, envelope: postern.Envelope, event: postern.RecipientEvent): ...)
---@overload fun(event: "data_start", handler: fun(session: postern.Session, envelope: postern.Envelope, event: postern.DataStartEvent): ...)
---@overload fun(event: "header_end", handler: fun(session: postern.Session, envelope: postern.Envelope, event: postern.HeaderEndEvent): ...)
---@overload fun(event: "message_end", handler: fun(session: postern.Session, envelope: postern.Envelope, event: postern.MessageEndEvent): ...)
---@overload fun(event: "queued", handler: fun(session: postern.Session, envelope: postern.Envelope, event: postern.QueuedEvent): ...)
---@overload fun(event: "disconnect", handler: fun(session: postern.Session, envelope: nil, event: postern.DisconnectEvent): ...)
---@overload fun(event: "outbound_requirement", handler: fun(session: postern.Session, envelope: postern.Envelope, event: postern.OutboundRequirementEvent): ...)
---@overload fun(event: "route", handler: fun(session: postern.Session, envelope: postern.Envelope, event: postern.RouteEvent): ...)
---@overload fun(event: "outbound_connect", handler: fun(session: postern.Session, envelope: postern.Envelope, event: postern.OutboundConnectEvent): ...)
---@overload fun(event: "outbound_ehlo", handler: fun(session: postern.Session, envelope: postern.Envelope, event: postern.OutboundEhloEvent): ...)
---@overload fun(event: "delivery_result", handler: fun(session: nil, envelope: nil, event: postern.DeliveryResultEvent): ...)
---@overload fun(event: "notice", handler: fun(session: nil, envelope: nil, event: postern.NoticeEvent): ...)
---@overload fun(event: "stop", handler: fun(session: nil, envelope: nil, event: postern.StopEvent): ...)
---@param event postern.EventName
---@param handler fun(session: postern.Session?, envelope: postern.Envelope?, event: postern.Event): ...
function postern.on(event, handler) end

--- Has a function called again and again, for what is to be fetched ahead: what it keeps in locals of the file, handlers on the same worker see. At the top of a file.
---@param seconds integer # 10 to 86400
---@param handler fun(session: nil, envelope: nil, event: postern.Event) # is called on every worker, in that worker's copy of the script
function postern.every(seconds, handler) end

--- What the module returns. Each script that asks has its own copy, the code is shared. At the top of a file.
---@param name string # of modules/NAME.lua
---@return any
function postern.module(name) end

--- A key-value file: a key and what belongs to it, one a line; # begins a comment line. At the top of a file; read anew at each reload.
---@param file string # below data/: "vips.map"
---@return postern.Map
function postern.map(file) end

--- A file of networks (192.0.2.0/24 or 2001:db8::/32 and what belongs to it, one a line). At the top of a file.
---@param file string # below data/: "office.cidr"
---@return postern.Networks
function postern.networks(file) end

--- The entry of that secure list which matches, or nil.
---@param list "send"|"receive" # which secure list
---@param domain string # any form; canonical form is made of it
---@return string?
function postern.listed(list, domain) end

--- Records as texts (MX: "10 mail1.example.org"), or nil, a token (nxdomain, no-data, dns-failed) and a sentence. The handler waits, its worker does not.
---@param type "A"|"AAAA"|"CNAME"|"MX"|"NS"|"PTR"|"TXT" # record type
---@param name string # A-labels; underscores are taken
---@return string[]?, string?, string?
function postern.dns(type, name) end

--- The body of a GET (up to 64 KiB) by way of the proxy settings, or nil, a token (http-failed, host-not-allowed) and a sentence. No redirects. The handler waits, its worker does not.
---@param url string # its host stands in scripts { http_hosts { } }
---@return string?, string?, string?
function postern.http(url) end

--- The address as DNS lists are asked for it: 192.0.2.1 gives 1.2.0.192 (RFC 5782).
---@param address string # as session.remote_address
---@return string
function postern.reverse(address) end

--- Writes a line script-log with file and line; 20 lines a call, the rest is dropped.
---@param text string # printable ASCII; other octets become ?
---@param fields? table<string, string|number|boolean> # written as name=value, at most 16
function postern.log(text, fields) end

--- Answers 451 4.7.1 with that text: try again later.
---@param text string # of the reply, printable ASCII, up to 300 characters
---@return postern.Verdict
function postern.defer(text) end

--- Answers 550 5.7.1 with that text.
---@param text string # of the reply, printable ASCII, up to 300 characters
---@return postern.Verdict
function postern.reject(text) end

--- Adds nothing, but the script has spoken.
---@return postern.Verdict
function postern.proceed() end

--- What belongs to the key, or nil.
---@param key string # compared in lower case
---@return string?
function Map:find(key) end

--- What belongs to the domain or to a suffix entry above it, or nil.
---@param domain string # exact entry before the longest .suffix above it
---@return string?
function Map:find_domain(domain) end

--- What belongs to the network that holds the address, or nil.
---@param address string # IPv4 or IPv6; the longest prefix answers
---@return string?
function Networks:find(address) end

--- leaves the keyword out of the EHLO reply (STARTTLS cannot be hidden)
---@param name string
---@return postern.Effect
function postern.hide_extension(name) end

--- adds a keyword that the server does not use itself
---@param name string
---@param value string
---@return postern.Effect
function postern.add_extension(name, value) end

--- presents that certificate of the configuration
---@param name string
---@return postern.Effect
function postern.certificate(name) end

--- asks the client for its certificate, or not; where the connector has domain_secure_enabled it is always asked
---@param value string
---@return postern.Effect
function postern.request_certificate(value) end

--- is noted in the log beside the decision
---@param name string
---@param value string
---@return postern.Effect
function postern.evidence(name, value) end

--- a header field in front of the others
---@param name string
---@param value string
---@return postern.Effect
function postern.add_field(name, value) end

--- every header field of that name goes
---@param name string
---@return postern.Effect
function postern.remove_field(name) end

--- the first field of that name gets this value, its others go; a new one where there is none
---@param name string
---@param value string
---@return postern.Effect
function postern.rewrite_field(name, value) end

--- stored and answered 250, delivered when it is released
---@param value string
---@return postern.Effect
function postern.hold(value) end

--- answered 250 and dropped
---@param value string
---@return postern.Effect
function postern.discard(value) end

--- that send connector takes it; its demands stay
---@param name string
---@return postern.Effect
function postern.reroute(name) end

--- HOST or HOST:PORT instead of mail exchangers or smart host; several are tried in order; demands stay
---@param name string
---@return postern.Effect
function postern.host(name) end

-- In *_test.lua alone.
test = {}

--- What the script is to see; everything may be left out.
---@class test.Fake
---@field session table? # id, connector, remote_address, helo, outbound, and tls: false in clear, or version, cipher, subject, issuer, serial, sha256, names
---@field envelope table? # sender, recipients, domain
---@field event table? # its details; at header_end and message_end also header or fields
---@field lookups table? # { dns = { TYPE = { [name] = records } }, http = { [url] = body } }
---@field listed string|string[]|table|false|nil # what stands on the secure lists

--- What the script decided.
---@class test.Answer
---@field verdict "proceed"|"defer"|"reject" # what becomes of the step
---@field reply string? # what the peer is told
---@field requirement table? # what the script demands; issuer and names are lists
---@field effects table[] # { effect = "add_field", name = "X-A", value = "1" }
---@field spoke boolean # it returned something
---@field failed boolean # it failed
---@field why string? # file:line: cause

--- A case; each begins with a fresh script. At the top of a file.
---@param name string # what holds, as the report prints it
---@param body fun() # runs with a fresh script
function test.case(name, body) end

--- Has the script decide, in the daemon's sandbox and within its limits. In a case.
---@param event postern.EventName # one of docs/events.md
---@param fake? test.Fake # what the script is to see
---@return test.Answer
function test.ask(event, fake) end

--- Calls a function of postern.every. In a case.
---@param which integer # 1 for the first postern.every of the script
---@param fake? test.Fake # what the script is to see
---@return test.Answer
function test.tick(which, fake) end

--- Fails the case unless the two are the same.
---@param got any # what came
---@param wanted any # the same value; tables entry by entry
---@param what? string # stands before the message of a failure
function test.equal(got, wanted, what) end

--- Fails the case unless the table has at least these fields.
---@param got table # what came
---@param wanted table # fields that it has at least
---@param what? string # stands before the message of a failure
function test.matches(got, wanted, what) end

--- Fails the case unless the text or the list has that part.
---@param got string|any[] # a text or a list
---@param part any # a part of the text, or an entry of the list
---@param what? string # stands before the message of a failure
function test.contains(got, part, what) end

--- Fails the case unless the script failed, for a reason with that part.
---@param answer test.Answer # of test.ask or test.tick
---@param part? string # a part of the reason
function test.failed(answer, part) end
