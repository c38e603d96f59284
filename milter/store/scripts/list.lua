-- list.lua: the beginning of every script that works on one list (count, settle, breaker, sweep): its records, its index, its
-- clock, and one flush at the end. A script that fails before its flush has written nothing.
--
-- KEYS[1]  records: hash, field -> msgpack array whose first element is the format
--            l                       {format, name, clock, conversations, kept, until, memory}
--            t TALLY                 {format, last, edge, sum}       deliveries after `edge` sum up to `sum`
--            b TALLY                 {format, 13 words as given}     a breaker
--            a TALLY sender          {format, last, standing}        where a sender stands
--            c CONVERSATION          {format, public id, founded, last, accepted, merged into, root}
--            k CLASS hash            {format, conversation}          CLASS: i(d), t(hread), s(ubject), o(wn)
--            m message               {format, ...}                   an identity: message_store()
--            p message recipients    {format, seen, offer}           a transaction of an expander
-- KEYS[2]  index: sorted set, all scores 0, so members are in the order of their bytes and any range is counted in O(log n)
--            a TALLY time sender     an attempt
--            r TALLY time message    a reply
--            d TALLY time message n  deliveries
--            b TALLY                 a breaker
-- KEYS[3]  garbage: sorted set, field of KEYS[1] -> when it may be past; looked at by sweep()
--
-- TALLY, CONVERSATION, time: 6 bytes, big-endian. A list's tallies are 0 (members) and 1 (outside), those of conversation n
-- are 2n and 2n + 1. A member '' keeps KEYS[2] and KEYS[3] in being, so that their time to live stays on them.

local FORMAT = 1
local CAP = 20000 -- BW_STORE_COUNT_CAP
local DAY = 86400000
local MEMORY = 7 * DAY
local LAST_TIME = 2 ^ 47
local AT_ONCE = 1000 -- elements of one command

local records, index, garbage = KEYS[1], KEYS[2], KEYS[3]
local call, pack, floor, max, min = redis.call, cmsgpack.pack, math.floor, math.max, math.min

local function bytes(n)
	return struct.pack('>I6', max(0, min(n, LAST_TIME)))
end

-- --- records: read together, written together ---

local read, put, rows, waste = {}, {}, {}, {}

local function fetch(fields)
	local ask = {}
	for _, field in ipairs(fields) do
		if read[field] == nil then
			ask[#ask + 1] = field
		end
	end
	if #ask > 0 then
		for i, text in ipairs(call('HMGET', records, unpack(ask))) do
			read[ask[i]] = text
		end
	end
end

local function get(field)
	if read[field] == nil then
		read[field] = call('HGET', records, field)
	end
	if not read[field] then
		return nil
	end
	local record = cmsgpack.unpack(read[field])
	if record[1] ~= FORMAT then
		error('FORMAT ' .. tostring(record[1]) .. ' of a record, this breakwater reads ' .. FORMAT)
	end
	return record
end

-- With a time: what is new gets an entry in the garbage.
local function set(field, record, now)
	if now and not read[field] then
		waste[field] = now
	end
	put[field] = pack(record)
	read[field] = put[field]
end

local function drop(field)
	put[field] = false
	read[field] = false
end

-- Arguments are of pairs: every piece has an even length.
local function send(command, key, arguments)
	for first = 1, #arguments, AT_ONCE do
		call(command, key, unpack(arguments, first, min(first + AT_ONCE - 1, #arguments)))
	end
end

-- What needs memory goes first: when Redis has none left it refuses that, and nothing was written.
local function write()
	local there, gone, adds, removes, times = {}, {}, {}, {}, {}
	for field, text in pairs(put) do
		if text then
			there[#there + 1] = field
			there[#there + 1] = text
		else
			gone[#gone + 1] = field
		end
	end
	for member, stands in pairs(rows) do
		if stands then
			adds[#adds + 1] = '0'
			adds[#adds + 1] = member
		else
			removes[#removes + 1] = member
		end
	end
	for field, time in pairs(waste) do
		times[#times + 1] = time and string.format('%.0f', time) or '+inf'
		times[#times + 1] = field
	end
	send('HSET', records, there)
	send('ZADD', index, adds)
	send('ZADD', garbage, times)
	send('HDEL', records, gone)
	send('ZREM', index, removes)
	put, rows, waste = {}, {}, {}
end

-- --- the list and its clock ---

local list

local function list_load(name)
	local r = get('l')
	list = r and { name = r[2], clock = r[3], conversations = r[4], kept = r[5], till = r[6], memory = r[7] }
		or { name = name, clock = 0, conversations = 0, kept = 0, till = 0, memory = MEMORY, new = true }
end

-- Given times are taken as they are; the server's is never before the last seen.
local function clock(given, at_least)
	if given > 0 then
		return given
	end
	local time = call('TIME')
	return max(time[1] * 1000 + floor(time[2] / 1000), at_least, list.clock)
end

-- Writes everything. The keys live for the memory after the last message, and as long as a breaker says; their time to live
-- is set anew only now and then.
local function flush(now, memory)
	list.clock = max(list.clock, now)
	list.memory = memory or list.memory
	local renew = list.new or list.renew or math.abs(now - list.kept) >= list.memory / 8
	if list.new then
		rows[''] = true
		waste[''] = false
	end
	if renew then
		list.kept = now
	end
	set('l', { FORMAT, list.name, list.clock, list.conversations, list.kept, list.till, list.memory })
	write()
	if renew then
		local ttl = string.format('%.0f', min(list.memory * 1.25 + max(0, list.till - now), LAST_TIME))
		call('PEXPIRE', records, ttl)
		call('PEXPIRE', index, ttl)
		call('PEXPIRE', garbage, ttl)
	end
	list.new, list.renew = nil, nil
end

-- --- ranges of the index ---

local function count_rows(prefix, low, high)
	return call('ZLEXCOUNT', index, '[' .. prefix .. bytes(low), '(' .. prefix .. bytes(high))
end

local function range(prefix, low, high, limit)
	return call('ZRANGEBYLEX', index, '[' .. prefix .. bytes(low), '(' .. prefix .. bytes(high), 'LIMIT', 0, limit)
end

-- Parentheses: struct.unpack() answers the next position, too.
local function time_of(row)
	return (struct.unpack('>I6', row, 8))
end

-- --- tallies ---

local function tally_load(id)
	local key = bytes(id)
	local r = get('t' .. key)
	return {
		key = key,
		known = r ~= nil,
		last = r and r[2] or 0,
		edge = r and r[3] or LAST_TIME,
		sum = r and r[4] or 0,
		breaker = get('b' .. key),
		moves = {}, -- attempts of this script: from, to, from, to, ...
		replied = {}, -- times of replies of this script
		posted = {}, -- deliveries of this script: time, n, time, n, ...
	}
end

local function tally_store(t)
	if t.changed then
		set('t' .. t.key, { FORMAT, t.last, t.edge, t.sum })
	end
end

local function attempt_last(t, sender)
	local r = get('a' .. t.key .. sender)
	return r and r[2] or 0
end

local function attempt_move(t, sender, from, to, standing)
	if to == 0 then
		drop('a' .. t.key .. sender)
	else
		set('a' .. t.key .. sender, { FORMAT, to, standing }, to)
	end
	if from ~= to then
		if from ~= 0 then
			rows['a' .. t.key .. bytes(from) .. sender] = false
		end
		if to ~= 0 then
			rows['a' .. t.key .. bytes(to) .. sender] = true
		end
		t.moves[#t.moves + 1] = from
		t.moves[#t.moves + 1] = to
	end
	t.changed = true
end

-- An attempt at `at`; `anew`: a further one, else the one that stands is moved there. Answers where the sender stood.
local function attempt_put(t, sender, at, anew)
	local r = get('a' .. t.key .. sender)
	local before, standing = r and r[2] or 0, r and r[3] or 0
	attempt_move(t, sender, before, max(before, at), standing + ((anew or standing == 0) and 1 or 0))
	t.last = max(t.last, at)
	return before
end

-- Undoes an attempt made at `at`, before which the sender stood at `before` (0: not at all).
local function attempt_give_back(t, sender, at, before)
	local r = get('a' .. t.key .. sender)
	if not r then
		return
	end
	if r[3] <= 1 then
		attempt_move(t, sender, r[2], 0, 0)
	else
		-- The sender's other attempts stay, at their own time unless a later one has moved the entry on.
		attempt_move(t, sender, r[2], (r[2] == at and before ~= 0) and before or r[2], r[3] - 1)
	end
end

-- Distinct senders with an attempt after `edge`, those of this script included.
local function senders_after(t, edge)
	local n = t.known and count_rows('a' .. t.key, max(0, edge) + 1, LAST_TIME) or 0
	for i = 1, #t.moves, 2 do
		n = n + (t.moves[i + 1] > edge and t.moves[i + 1] ~= 0 and 1 or 0) - (t.moves[i] > edge and t.moves[i] ~= 0 and 1 or 0)
	end
	return min(n, CAP)
end

local function reply_put(t, message, at)
	rows['r' .. t.key .. bytes(at) .. message] = true
	t.replied[#t.replied + 1] = at
end

local function reply_take(t, message, at)
	rows['r' .. t.key .. bytes(at) .. message] = false
end

local function replies_after(t, edge)
	local n = t.known and count_rows('r' .. t.key, max(0, edge) + 1, LAST_TIME) or 0
	for _, at in ipairs(t.replied) do
		n = n + (at > edge and 1 or 0)
	end
	return n
end

-- A message's deliveries that stand at one time: the row of the index and its number.
local function delivery_find(t, at, message)
	local key = bytes(at) .. message
	if t.found and t.found[key] ~= nil then
		return t.found[key] or nil
	end
	local prefix = 'd' .. t.key .. key
	return call('ZRANGEBYLEX', index, '[' .. prefix, '[' .. prefix .. '\255\255\255\255\255\255\255\255', 'LIMIT', 0, 1)[1]
end

local function delivery_change(t, at, message, row, n)
	local have = row and struct.unpack('>I7', row, 30) or 0
	local key = bytes(at) .. message
	t.found = t.found or {}
	t.found[key] = false
	if row then
		rows[row] = false
	end
	if n > 0 then
		t.found[key] = 'd' .. t.key .. key .. struct.pack('>I7', n)
		rows[t.found[key]] = true
	end
	if at > t.edge then
		t.sum = t.sum + n - have
	end
	t.posted[#t.posted + 1] = at
	t.posted[#t.posted + 1] = n - have
	t.changed = true
end

local function delivery_add(t, at, message, n, fresh)
	if n > 0 then
		local row = not fresh and delivery_find(t, at, message)
		delivery_change(t, at, message, row, n + (row and struct.unpack('>I7', row, 30) or 0))
	end
end

local function delivery_take(t, at, message, n)
	local row = n > 0 and delivery_find(t, at, message)
	if row then
		delivery_change(t, at, message, row, max(0, struct.unpack('>I7', row, 30) - n))
	end
end

-- The sum of deliveries after an edge: that after the last edge asked for, corrected by what lies between the two.
local function deliveries_after(t, edge)
	edge = max(0, edge)
	local low, high, between = min(t.edge, edge), max(t.edge, edge), 0
	if low == high then
		return t.sum
	end
	local from, last = '[d' .. t.key .. bytes(low + 1), '(d' .. t.key .. bytes(high + 1)
	while t.known do
		local found = call('ZRANGEBYLEX', index, from, last, 'LIMIT', 0, AT_ONCE)
		for _, row in ipairs(found) do
			between = between + struct.unpack('>I7', row, 30)
		end
		if #found < AT_ONCE then
			break
		end
		from = '(' .. found[#found]
	end
	for i = 1, #t.posted, 2 do
		if t.posted[i] > low and t.posted[i] <= high then
			between = between + t.posted[i + 1]
		end
	end
	t.sum = t.sum + (edge < t.edge and between or -between)
	t.edge = edge
	t.changed = t.changed or t.known
	return t.sum
end

-- Counts are exact up to the cap; above it the oldest make room, so a tally has an end.
local function trim(key)
	for _, kind in ipairs({ 'a', 'r' }) do
		local over = count_rows(kind .. key, 0, LAST_TIME) - CAP
		while over > 0 do
			local oldest = range(kind .. key, 0, LAST_TIME, min(over, AT_ONCE))
			send('ZREM', index, oldest)
			if kind == 'a' then
				local gone = {}
				for i, row in ipairs(oldest) do
					gone[i] = 'a' .. key .. row:sub(14)
					read[gone[i]] = nil
				end
				send('HDEL', records, gone)
			end
			over = over - #oldest
		end
	end
end

-- --- breakers: the words as breakwater wrote them ---

local B_PHASE, B_SINCE, B_UNTIL, B_OVERRIDE, B_OVERRIDE_UNTIL, B_VERSION = 2, 4, 5, 10, 11, 14
local OPEN, HALF_OPEN, FORCED_OPEN, DISABLED = '1', '2', '1', '2'

local function breaker_rank(b)
	if b[B_OVERRIDE] == FORCED_OPEN then
		return 3
	elseif b[B_OVERRIDE] == DISABLED then
		return 0
	elseif b[B_PHASE] == OPEN then
		return 2
	end
	return b[B_PHASE] == HALF_OPEN and 1 or 0
end

-- bw_store_less_closed()
local function less_closed(a, b)
	local ra, rb = a and breaker_rank(a) or 0, b and breaker_rank(b) or 0
	if ra ~= rb or ra == 0 then
		return ra > rb
	end
	local till = ra == 3 and B_OVERRIDE_UNTIL or B_UNTIL
	return tonumber(a[till]) > tonumber(b[till])
end

local function breaker_put(t, b)
	t.breaker = b
	set('b' .. t.key, b)
	rows['b' .. t.key] = true
	list.till = max(list.till, min(LAST_TIME, max(tonumber(b[B_UNTIL]), tonumber(b[B_OVERRIDE_UNTIL]))))
	list.renew = true
end

-- --- conversations ---

local conversations = {}

local function conversation_read(id)
	if conversations[id] == nil then
		local r = get('c' .. bytes(id))
		conversations[id] = r and { id = id, hash = r[2], founded = r[3], last = r[4], accepted = r[5], into = r[6], root = r[7] } or false
	end
	return conversations[id] or nil
end

local function conversation_write(c, now)
	set('c' .. bytes(c.id), { FORMAT, c.hash, c.founded, c.last, c.accepted, c.into, c.root }, now)
end

-- Follows merges to the conversation that is there now; nil: gone, or (with a memory) forgotten.
local function conversation_load(id, now, memory)
	local first, c, hops = conversation_read(id), conversation_read(id), 0
	while c and c.into ~= 0 do
		c = conversation_read(c.into)
		hops = hops + 1
	end
	if not c or (memory and now - c.last >= memory) then
		return nil
	end
	-- The next look takes one step, however long the chain grows.
	if hops > 1 then
		first.into = c.id
		conversation_write(first)
	end
	return c
end

local function older(a, b)
	if a.founded ~= b.founded then
		return a.founded < b.founded
	end
	return a.id < b.id
end

local function conversation_found(hash, now, accepted, root)
	list.conversations = list.conversations + 1
	local c = { id = list.conversations, hash = hash, founded = now, last = now, accepted = accepted, into = 0, root = root }
	conversations[c.id] = c
	conversation_write(c, now)
	return c
end

-- `name`: class and hash.
local function key_find(name)
	local r = get('k' .. name)
	return r and r[2] or 0
end

local function key_put(name, c, now)
	set('k' .. name, { FORMAT, c.id }, now)
end

local NO_HASH = ('\0'):rep(16)
local ROOTS = { 'i', 't', 'o' } -- classes of keys that a conversation can be named after
local CLASS_NUMBERS = { i = 0, t = 1, o = 3 }

-- From a root's key to the public id and back: kinds that happen to share a hash are different conversations.
local function public_id(hash, class)
	return hash:sub(1, 15) .. string.char(bit.bxor(hash:byte(16), CLASS_NUMBERS[class]))
end

-- By its public id.
local function conversation_find(hash)
	if hash == NO_HASH then
		return nil
	end
	local fields = {}
	for i, class in ipairs(ROOTS) do
		fields[i] = 'k' .. class .. public_id(hash, class)
	end
	fetch(fields)
	for _, class in ipairs(ROOTS) do
		local id = key_find(class .. public_id(hash, class))
		local c = id ~= 0 and conversation_load(id)
		if c then
			return c
		end
	end
	return nil
end

-- The same; if there is none it is made anew, as one that went out: its replies will find it by its root.
local function conversation_revive(hash, now)
	local c = conversation_find(hash)
	if c or hash == NO_HASH then
		return c
	end
	c = conversation_found(hash, now, 1, '')
	-- Which kind its root's key is, nobody says.
	for _, class in ipairs(ROOTS) do
		key_put(class .. public_id(hash, class), c, now)
	end
	return c
end

-- --- messages and their offers ---

local FOUNDER, JOINED, COUNTED, REPLIED, WAS_LIST, WAS_CONVERSATION = 'founder', 'joined', 'counted', 'replied', 'waslist', 'wasconversation'
local FLAGS = { FOUNDER, JOINED, COUNTED, REPLIED, WAS_LIST, WAS_CONVERSATION }
local FRESH, RETRY, DUPLICATE, SPLIT, REPLAY, SETTLED = 0, 1, 2, 3, 4, 5 -- enum bw_seen; SETTLED: BW_SEEN_COUNT

local function offer_pack(o)
	return { o.live and 1 or 0, o.duplicated and 1 or 0, o.seen, o.accepted, o.prior, o.at, o.deliveries }
end

local function offer_unpack(r)
	return { known = true, live = r[1] == 1, duplicated = r[2] == 1, seen = r[3], accepted = r[4], prior = r[5], at = r[6], deliveries = r[7] }
end

local function offer_new()
	return { seen = SETTLED, accepted = 0, prior = 0, at = 0, deliveries = 0 }
end

-- What is older than the memory (if one is given) was never seen.
local function message_load(hash, now, memory)
	local r = get('m' .. hash)
	if not r or (memory and now - r[3] >= memory) then
		return { hash = hash, seen = 0, conversation = 0, rival = 0, attempt = 0, list_before = 0, list_last = 0,
			conversation_before = 0, conversation_last = 0, reply = 0, accepted = 0, post = 0, recipients = NO_HASH, own = offer_new() }
	end
	local m = { hash = hash, known = true, seen = r[3], conversation = r[4], rival = r[5], attempt = r[6], list_before = r[7],
		list_last = r[8], conversation_before = r[9], conversation_last = r[10], reply = r[11], accepted = r[12], post = r[13],
		recipients = r[14], own = offer_unpack(r[15]) }
	for i, flag in ipairs(FLAGS) do
		m[flag] = floor(r[2] / 2 ^ (i - 1)) % 2 == 1
	end
	return m
end

local function message_store(m, now)
	local flags = 0
	for i, flag in ipairs(FLAGS) do
		flags = flags + (m[flag] and 2 ^ (i - 1) or 0)
	end
	set('m' .. m.hash, { FORMAT, flags, m.seen, m.conversation, m.rival, m.attempt, m.list_before, m.list_last,
		m.conversation_before, m.conversation_last, m.reply, m.accepted, m.post, m.recipients, offer_pack(m.own) }, now)
end

local function part_load(m, recipients, now, memory)
	local r = m.known and get('p' .. m.hash .. recipients)
	-- A part of an earlier life of this identity, which was forgotten meanwhile, was never seen.
	local o = r and not (memory and now - r[2] >= memory) and offer_unpack(r[3]) or offer_new()
	o.apart = true
	return o
end

-- An offer that is not apart goes into the message: store that after it.
local function offer_store(m, recipients, o, now)
	if o.apart then
		set('p' .. m.hash .. recipients, { FORMAT, m.seen, offer_pack(o) }, now)
	else
		m.own = o
	end
end

-- Marks an offer accepted at `now`, its deliveries standing at `at`; and undoes that.
local function accept(m, o, t, c, now, at, deliveries)
	o.prior, o.accepted, o.at, o.deliveries, o.live = o.accepted, now, at, deliveries, true
	delivery_add(t, at, m.hash, deliveries, not m.known)
	if o.prior ~= 0 then
		return -- once more: the message stands accepted already
	end
	if m.accepted == 0 then
		m.post = at
		if c then
			c.accepted = c.accepted + 1
		end
	end
	m.accepted = m.accepted + 1
end

local function take_back(m, o, t, c)
	if not o.live then
		return
	end
	delivery_take(t, o.at, m.hash, o.deliveries)
	o.live, o.accepted, o.deliveries = false, o.prior, 0
	if o.accepted ~= 0 or m.accepted == 0 then
		return
	end
	m.accepted = m.accepted - 1
	if m.accepted == 0 then
		m.post = 0
		if c then
			c.accepted = max(0, c.accepted - 1)
		end
	end
end
