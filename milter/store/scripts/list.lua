-- list.lua: the beginning of every script that works on one list (count, settle, breaker, sweep): its records, its index, its
-- clock, and one flush at the end. A script that fails before its flush has written nothing.
--
-- KEYS[1]  records: hash; each value begins with its format, the rest is packed by struct (big-endian)
--            l                       the list: LIST, then its name
--            t TALLY                 a tally: TALLY
--            b TALLY                 a breaker: msgpack {format, 13 words as given}
--            a TALLY sender          where a sender stands: STANDING
--            c CONVERSATION          CONVERSATION, then its root's sender; behind a NUL: of a proven identity
--            k CLASS hash            a join key; CLASS: i(d), t(hread), s(ubject), o(wn)
--            m message               an identity: MESSAGE
--            p message recipients    a transaction of an expander: PART
-- KEYS[2]  index: sorted set, all scores 0, so members are in the order of their bytes and any range is counted in O(log n)
--            a TALLY time sender     an attempt
--            r TALLY time message    a reply
--            d TALLY time message n  deliveries
--            b TALLY                 a breaker
--            q CONVERSATION message  a reply that was redirected
-- KEYS[3]  garbage: sorted set, field of KEYS[1] -> when it may be past; looked at by sweep()
--
-- TALLY, CONVERSATION, time: 6 bytes, big-endian. A list's tallies are 0 (members) and 1 (outside), those of conversation n
-- are 2n and 2n + 1. A member '' keeps KEYS[2] and KEYS[3] in being, so that their time to live stays on them.
--
-- A script's functions are made anew at each call: here is what each call needs, list-rare.lua has the rest.

local FORMAT = 1
local CAP = 20000 -- BW_STORE_COUNT_CAP
local DAY = 86400000
local LAST_TIME = 2 ^ 47
local AT_ONCE = 1000 -- elements of one command

local LIST = '>BI6I6I6I6I6' -- clock, conversations so far, time to live set when, kept till, memory
local TALLY = '>BI6I6I7I4I4I6' -- last attempt; deliveries after an edge: the edge, their sum; attempts, replies, none before
local STANDING = '>BI6I4' -- latest attempt, how many stand
local CONVERSATION = '>Bc16I6I6I4I6' -- public id, founded, last, accepted, merged into
local CONVERSATION_ROOT = 40
local KEY = '>BI6' -- conversation
local OFFER = 'BBBI6I6I6I7' -- live, duplicated, seen, accepted, prior, at, deliveries
local MESSAGE = '>BBBBBBBI6I6I6I6I6I6I6I6I6I4I6c16' .. OFFER
local PART = '>BI6' .. OFFER -- seen

local records, index, garbage = KEYS[1], KEYS[2], KEYS[3]
local call, pack, take = redis.call, struct.pack, struct.unpack
local max, min = math.max, math.min

local function bytes(n)
	return pack('>I6', n)
end

-- --- records: read together, written together ---

local read = {} -- field -> text, false: none
local there, gone, adds, removes, times = {}, {}, {}, {}, {}

local function fetch(fields)
	local ask, n = {}, 0
	for i = 1, #fields do
		if read[fields[i]] == nil then
			n = n + 1
			ask[n] = fields[i]
		end
	end
	if n > 0 then
		local got = call('HMGET', records, unpack(ask))
		for i = 1, n do
			read[ask[i]] = got[i]
		end
	end
end

local function get(field)
	local text = read[field]
	if text == nil then
		text = call('HGET', records, field)
		read[field] = text
	end
	-- A breaker's format is inside: msgpack begins with the kind of array (14 elements: 0x9e).
	if text and text:byte() ~= FORMAT and text:byte() ~= 158 then
		error('FORMAT ' .. text:byte() .. ' of a record, this breakwater reads ' .. FORMAT)
	end
	return text
end

-- With a time: what is new gets an entry in the garbage.
local function set(field, text, now)
	if now and not read[field] then
		times[#times + 1] = now
		times[#times + 1] = field
	end
	there[#there + 1] = field
	there[#there + 1] = text
	read[field] = text
end

local function add_row(row)
	adds[#adds + 1] = '0'
	adds[#adds + 1] = row
end

local function remove_row(row)
	removes[#removes + 1] = row
end

-- Arguments may be pairs: every piece has an even length.
local function send(command, key, arguments)
	for first = 1, #arguments, AT_ONCE do
		call(command, key, unpack(arguments, first, min(first + AT_ONCE - 1, #arguments)))
	end
end

-- What needs memory goes first: when Redis has none left it refuses that, and nothing was written. No row is added and then
-- removed in one script; one that is removed and then added stays.
local function write()
	send('HSET', records, there)
	send('HDEL', records, gone)
	send('ZREM', index, removes)
	send('ZADD', index, adds)
	send('ZADD', garbage, times)
	there, gone, adds, removes, times = {}, {}, {}, {}, {}
end

-- --- the list and its clock ---

local list

local function list_load(name)
	local text = get('l')
	list = { name = name, clock = 0, conversations = 0, kept = 0, till = 0, memory = 7 * DAY, new = not text }
	if text then
		local _
		_, list.clock, list.conversations, list.kept, list.till, list.memory = take(LIST, text)
	end
end

-- Given times are taken as they are; the server's is never before the last seen.
local function clock(given, at_least)
	if given > 0 then
		return given
	end
	local time = call('TIME')
	return max(time[1] * 1000 + math.floor(time[2] / 1000), at_least, list.clock)
end

-- Writes everything. The keys live for the memory after the last message, and as long as a breaker says; their time to live
-- is set anew only now and then.
local function flush(now, memory)
	list.clock = max(list.clock, now)
	list.memory = memory or list.memory
	local renew = list.new or list.renew or math.abs(now - list.kept) >= list.memory / 8
	if list.new then
		add_row('')
		times[#times + 1] = '+inf'
		times[#times + 1] = ''
	end
	if renew then
		list.kept = now
	end
	set('l', pack(LIST, FORMAT, list.clock, list.conversations, list.kept, list.till, list.memory) .. list.name)
	write()
	if renew then
		local ttl = string.format('%.0f', min(list.memory * 1.25 + max(0, list.till - now), LAST_TIME))
		call('PEXPIRE', records, ttl)
		call('PEXPIRE', index, ttl)
		call('PEXPIRE', garbage, ttl)
	end
	list.new, list.renew = false, false
end

-- --- ranges of the index: '\255' is behind every time ---

local function count_after(prefix, edge)
	return call('ZLEXCOUNT', index, '[' .. prefix .. bytes(max(0, edge) + 1), '(' .. prefix .. '\255')
end

-- --- tallies ---

-- `key`: bytes() of its number.
local function tally_load(key)
	local text, breaker = get('t' .. key), get('b' .. key)
	local t = { key = key, known = text, last = 0, edge = LAST_TIME, sum = 0, attempts = 0, replies = 0, oldest = LAST_TIME }
	if text then
		local _
		_, t.last, t.edge, t.sum, t.attempts, t.replies, t.oldest = take(TALLY, text)
	end
	if breaker then
		t.breaker = cmsgpack.unpack(breaker)
		if t.breaker[1] ~= FORMAT then
			error('FORMAT ' .. tostring(t.breaker[1]) .. ' of a breaker, this breakwater reads ' .. FORMAT)
		end
	end
	return t
end

local rare -- list-rare.lua

local function tally_store(t)
	if t.found then
		rare().deliveries_store(t)
	end
	set('t' .. t.key, pack(TALLY, FORMAT, t.last, t.edge, max(0, t.sum), max(0, t.attempts), max(0, t.replies), t.oldest))
end

-- A sender's latest attempt (0: none) and how many stand.
local function standing_of(t, sender)
	local text = get('a' .. t.key .. sender)
	if not text then
		return 0, 0
	end
	local _, at, standing = take(STANDING, text)
	return at, standing
end

-- An attempt at `at`; `anew`: a further one, else the one that stands is moved there. Answers where the sender stood.
local function attempt_put(t, sender, at, anew)
	local before, standing = standing_of(t, sender)
	if anew or standing == 0 then
		standing = standing + 1
	end
	if at > before then
		if before ~= 0 then
			remove_row('a' .. t.key .. bytes(before) .. sender)
		else
			t.attempts = t.attempts + 1
			t.oldest = min(t.oldest, at)
		end
		add_row('a' .. t.key .. bytes(at) .. sender)
		t.from, t.to = before, at
	end
	set('a' .. t.key .. sender, pack(STANDING, FORMAT, max(before, at), standing))
	t.last = max(t.last, at)
	return before
end

-- Distinct senders with an attempt after `edge`, that of this script included.
local function senders_after(t, edge)
	local n = t.attempts
	if edge >= t.oldest then
		n = t.known and count_after('a' .. t.key, edge) or 0
		if t.to then
			n = n + (t.to > edge and 1 or 0) - (t.from > edge and 1 or 0)
		end
	end
	return n < CAP and n or CAP
end

local function replies_after(t, edge)
	if edge < t.oldest then
		return t.replies
	end
	return (t.known and count_after('r' .. t.key, edge) or 0) + (t.replied and t.replied > edge and 1 or 0)
end

local function reply_put(t, message, at)
	add_row('r' .. t.key .. bytes(at) .. message)
	t.replies, t.replied = t.replies + 1, at
	t.oldest = min(t.oldest, at)
end

local function delivery_row(t, at, message, n)
	return 'd' .. t.key .. bytes(at) .. message .. pack('>I7', n)
end

local function row_n(row)
	return (take('>I7', row, 30))
end

-- The sum of deliveries after an edge: that after the last edge asked for, corrected by what lies between the two.
local function deliveries_after(t, edge)
	edge = max(0, edge)
	local low, high, between = min(t.edge, edge), max(t.edge, edge), 0
	if low == high then
		return t.sum
	end
	local from, last, found = '[d' .. t.key .. bytes(low + 1), '(d' .. t.key .. bytes(high + 1), t.known and AT_ONCE or 0
	while found == AT_ONCE do
		local page = call('ZRANGEBYLEX', index, from, last, 'LIMIT', 0, AT_ONCE)
		found = #page
		for i = 1, found do
			between = between + row_n(page[i])
		end
		from = '(' .. (page[found] or '')
	end
	for i = 1, t.posted and #t.posted or 0, 2 do
		if t.posted[i] > low and t.posted[i] <= high then
			between = between + t.posted[i + 1]
		end
	end
	t.sum = t.sum + (edge < t.edge and between or -between)
	t.edge = edge
	return t.sum
end

-- --- breakers: the words as breakwater wrote them ---

local B_PHASE, B_SINCE, B_UNTIL, B_OVERRIDE, B_OVERRIDE_UNTIL, B_VERSION = 2, 4, 5, 10, 11, 14
local OPEN, HALF_OPEN, FORCED_OPEN, DISABLED = '1', '2', '1', '2'

-- --- conversations ---

local conversations = {}

local function conversation_read(id)
	local c = conversations[id]
	if c == nil then
		local text = id ~= 0 and get('c' .. bytes(id))
		c = text and { id = id, root = text:sub(CONVERSATION_ROOT) } or false
		if c then
			local _
			_, c.hash, c.founded, c.last, c.accepted, c.into = take(CONVERSATION, text)
		end
		conversations[id] = c
	end
	return c
end

local function conversation_write(c, now)
	set('c' .. bytes(c.id), pack(CONVERSATION, FORMAT, c.hash, c.founded, c.last, c.accepted, c.into) .. c.root, now)
end

-- Follows merges to the conversation that is there now; false: gone, or (with a memory) forgotten.
local function conversation_load(id, now, memory)
	local first = conversation_read(id)
	local c, hops = first, 0
	while c and c.into ~= 0 do
		c = conversation_read(c.into)
		hops = hops + 1
	end
	if not c or (memory and now - c.last >= memory) then
		return false
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

-- Written by who founds it, at the end.
local function conversation_found(hash, now, accepted, root)
	list.conversations = list.conversations + 1
	local c = { id = list.conversations, hash = hash, founded = now, last = now, accepted = accepted, into = 0, root = root }
	conversations[c.id] = c
	return c
end

-- `name`: class and hash. 0: it points nowhere.
local function key_find(name)
	local text = get('k' .. name)
	if not text then
		return 0
	end
	local _, id = take(KEY, text)
	return id
end

local function key_put(name, c, now)
	set('k' .. name, pack(KEY, FORMAT, c.id), now)
end

local NO_HASH = ('\0'):rep(16)

-- From a root's key to the public id and back: kinds that happen to share a hash are different conversations.
local function public_id(hash, class)
	if class == 'i' then
		return hash
	end
	return hash:sub(1, 15) .. string.char(bit.bxor(hash:byte(16), class == 't' and 1 or 3))
end

-- --- messages and their offers ---

local FRESH, RETRY, DUPLICATE, SPLIT, REPLAY, SETTLED = 0, 1, 2, 3, 4, 5 -- enum bw_seen; SETTLED: BW_SEEN_COUNT

local function offer_new()
	return { live = 0, duplicated = 0, seen = SETTLED, accepted = 0, prior = 0, at = 0, deliveries = 0 }
end

-- Flags are 0 or 1. founder: it founded its conversation; joined: it was a reply when it was last judged; counted, replied:
-- its attempt stands in the list's tally, in its conversation's; was_...: its sender stood in the window before. attempt: when;
-- ..._before: the sender's attempt before, ..._last: anyone's; accepted: offers that stand accepted; post: first acceptance.
-- What is older than the memory (if one is given) was never seen.
local function message_load(hash, now, memory)
	local text, _ = get('m' .. hash), nil
	local o = offer_new()
	local m = { hash = hash, own = o, known = false, founder = 0, joined = 0, counted = 0, replied = 0, was_list = 0,
		was_conversation = 0, seen = 0, conversation = 0, rival = 0, attempt = 0, list_before = 0, list_last = 0,
		conversation_before = 0, conversation_last = 0, reply = 0, accepted = 0, post = 0, recipients = NO_HASH }
	if text then
		local seen = take('>I6', text, 8)
		if not memory or now - seen < memory then
			m.known, o.known = true, true
			_, m.founder, m.joined, m.counted, m.replied, m.was_list, m.was_conversation, m.seen, m.conversation, m.rival, m.attempt,
				m.list_before, m.list_last, m.conversation_before, m.conversation_last, m.reply, m.accepted, m.post, m.recipients, o.live,
				o.duplicated, o.seen, o.accepted, o.prior, o.at, o.deliveries = take(MESSAGE, text)
		end
	end
	return m
end

local function message_store(m, now)
	local o = m.own
	set('m' .. m.hash, pack(MESSAGE, FORMAT, m.founder, m.joined, m.counted, m.replied, m.was_list, m.was_conversation, m.seen,
		m.conversation, m.rival, m.attempt, m.list_before, m.list_last, m.conversation_before, m.conversation_last, m.reply,
		m.accepted, m.post, m.recipients, o.live, o.duplicated, o.seen, o.accepted, o.prior, o.at, o.deliveries), now)
end

-- A part of an earlier life of this identity, which was forgotten meanwhile, was never seen.
local function part_load(m, recipients, now, memory)
	local text, o = m.known and get('p' .. m.hash .. recipients), offer_new()
	o.apart = true
	if text then
		local _, seen = take('>BI6', text)
		if not memory or now - seen < memory then
			o.known = true
			_, _, o.live, o.duplicated, o.seen, o.accepted, o.prior, o.at, o.deliveries = take(PART, text)
		end
	end
	return o
end

-- An offer that is not apart goes into the message: store that after it.
local function offer_store(m, recipients, o, now)
	if o.apart then
		set('p' .. m.hash .. recipients, pack(PART, FORMAT, m.seen, o.live, o.duplicated, o.seen, o.accepted, o.prior, o.at,
			o.deliveries), now)
	else
		m.own = o
	end
end

-- An offer stands accepted at `now`; its deliveries, which stand at `at`, are the caller's to add.
local function accept(m, o, c, now, at, deliveries)
	o.prior, o.accepted, o.at, o.deliveries, o.live = o.accepted, now, at, deliveries, 1
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
