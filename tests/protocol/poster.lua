-- An authenticated poster's announcement passes; the same From: without her login does not.
local function post(conn, id, login)
	if login then
		assert(mt.macro(conn, SMFIC_MAIL, "{auth_authen}", login, "{auth_type}", "PLAIN") == nil)
	end
	assert(mt.mailfrom(conn, "<comms@nhs.example>") == nil)
	assert(mt.rcptto(conn, "<all-england@nhs.example>") == nil)
	assert(mt.data(conn) == nil)
	assert(mt.getreply(conn) == SMFIR_CONTINUE, "list mail goes on")
	assert(mt.header(conn, "From", "comms@nhs.example") == nil)
	assert(mt.header(conn, "Subject", "news " .. id) == nil)
	assert(mt.header(conn, "Message-ID", "<" .. id .. "@nhs.example>") == nil)
	assert(mt.test_option(conn, SMFIP_NOEOH) or mt.eoh(conn) == nil)
	assert(mt.eom(conn) == nil)
	return mt.eom_check(conn, MT_QUARANTINE)
end

local first = mt.connect(socket, 20, 0.1)
assert(mt.conninfo(first, "client.nhs.example", "192.0.2.20") == nil)
assert(not post(first, "lua.2", "comms@nhs.example"), "the poster passes")
mt.disconnect(first)
local second = mt.connect(socket, 20, 0.1)
assert(mt.conninfo(second, "client.nhs.example", "192.0.2.20") == nil)
assert(post(second, "lua.3", nil), "without a login held")
mt.disconnect(second)
mt.echo("played to the end")
