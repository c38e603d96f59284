-- breaker.lua (after list.lua and list-rare.lua): the breakers of one list: read, compared and set, listed.
--
-- KEYS   as list.lua says
-- ARGV   1 now in ms, 0: the server's   2 not before this time   3 list   4 side   5 conversation; empty: the list's breaker
--        6 what to do:
--          get                              reply: the breaker, an array of 14; empty: none
--          set VERSION WORD...              13 words, the last its next version; reply: {1, now}, or {0, stored version}
--          each EDGE ALL                    reply: arrays of conversation (empty: the list's), side, senders after the edge,
--                                           last attempt, breaker; all: those that are closed and not overridden, too

local r = rare()
list_load(ARGV[3])

local function tally_find()
	if ARGV[5] == '' then
		return tally_load(bytes(tonumber(ARGV[4])))
	end
	local c = r.conversation_find(ARGV[5])
	return c and tally_load(bytes(2 * c.id + tonumber(ARGV[4]))) or nil
end

local todo = {}

function todo.get()
	local t = tally_find()
	return t and t.breaker or {}
end

function todo.set()
	local t = tally_find()
	local version = t and t.breaker and t.breaker[B_VERSION] or '0'
	if version ~= ARGV[7] then
		return { 0, version }
	end
	local now = clock(tonumber(ARGV[1]), tonumber(ARGV[2]))
	if not t then
		t = tally_load(bytes(2 * r.conversation_revive(ARGV[5], now).id + tonumber(ARGV[4])))
	end
	local b = { FORMAT }
	for i = 8, 20 do
		b[#b + 1] = ARGV[i]
	end
	r.breaker_put(t, b)
	tally_store(t)
	flush(now)
	return { 1, now }
end

local function row(key)
	local id = take('>I6', key, 2)
	local t = tally_load(key:sub(2))
	local c = id >= 2 and conversation_read(math.floor(id / 2))
	local b = t.breaker
	if not b or (id >= 2 and not c) or (ARGV[8] ~= '1' and b[B_PHASE] == '0' and b[B_OVERRIDE] == '0') then
		return nil
	end
	return { c and c.hash or '', id % 2, senders_after(t, max(0, tonumber(ARGV[7]))), t.last, b }
end

function todo.each()
	local out = {}
	local keys = call('ZRANGEBYLEX', index, '[b', '(c')
	for _, key in ipairs(keys) do
		out[#out + 1] = row(key)
	end
	return out
end

return todo[ARGV[6]]()
