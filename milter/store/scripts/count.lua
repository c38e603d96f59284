-- count.lua (after list.lua and sweep-list.lua): one message on one list. Recognised, joined, counted, and its deliveries
-- added while they fit. No rule is known here: windows and budget come as arguments, plain numbers go out, and neither is kept.
--
-- KEYS   as list.lua says
-- ARGV   1 now in ms, 0: the server's   2 not before this time   3 list   4 side: 0, 1   5 message   6 recipients   7 sender
--        8 join keys, strongest first, each a class and 16 bytes   9 the root's key, likewise   10 flags, letters: see below
--        11 deliveries   12 budget   13, 14 window of the conversation, of the list   15 memory   16 the root's sender
--        17... how many may pass, 0: any: senders, replies, by so many senders, senders in 24 h; senders of the list
--        flags: r looks like a reply, m may merge, e expander, p poster, a again, k known to be stopped, u stopped unless a
--        reply, q peek (write nothing), o one sender in probation
-- reply  now, seen, conversation, joined, merge wanted, then of the conversation: senders, replies, senders in 24 h, senders
--        since its phase, last attempt, sender was counted; of the list: senders, senders since its phase, last attempt, sender
--        was counted, deliveries, budget ok; provisional; breaker of the conversation, of the list (arrays, empty: none)

local DUPLICATE_WITHIN = 600000 -- a lost 250 comes again (semantics 3)

local side, message, recipients, sender = tonumber(ARGV[4]), ARGV[5], ARGV[6], ARGV[7]
local keys, root_key = {}, ARGV[9]
local deliveries, budget = tonumber(ARGV[11]), tonumber(ARGV[12])
local conversation_window, list_window, memory = tonumber(ARGV[13]), tonumber(ARGV[14]), tonumber(ARGV[15])

local function is(flag)
	return ARGV[10]:find(flag, 1, true) ~= nil
end

local expander, poster, again = is('e'), is('p'), is('a')

-- --- one trip for what is certainly needed ---

local seen_keys = {}
for i = 1, #ARGV[8], 17 do
	local key = ARGV[8]:sub(i, i + 16)
	if not seen_keys[key] then
		seen_keys[key] = true
		keys[#keys + 1] = key
	end
end

local function fetch_first()
	local tally = bytes(side)
	local fields = { 'l', 'm' .. message, 't' .. tally, 'b' .. tally, 'a' .. tally .. sender }
	for _, key in ipairs(keys) do
		fields[#fields + 1] = 'k' .. key
	end
	if expander then
		fields[#fields + 1] = 'p' .. message .. recipients
	end
	fetch(fields)
end

fetch_first()
list_load(ARGV[3])
local now = clock(tonumber(ARGV[1]), tonumber(ARGV[2]))
local m = message_load(message, now, memory)
local o = expander and part_load(m, recipients, now, memory) or m.own

-- --- what it is ---

local function recognise()
	if not m.known then
		return FRESH
	elseif again and o.known and o.seen < SETTLED then
		return o.seen
	elseif o.accepted == 0 then
		if m.accepted == 0 then
			return RETRY
		end
		return expander and SPLIT or REPLAY
	elseif not expander and m.recipients ~= NO_HASH and m.recipients ~= recipients then
		-- A lost 250 comes again to the same recipients; to others it is a new post under an old name.
		return REPLAY
	elseif not o.duplicated and now - o.accepted < DUPLICATE_WITHIN then
		return DUPLICATE
	end
	return REPLAY
end

-- --- its conversation ---

local bound = {} -- keys that point at a conversation that is remembered

local function look_up(key)
	local id = key_find(key)
	return id ~= 0 and conversation_load(id, now, memory) or nil
end

-- The first two distinct conversations that the keys point at; a third is left alone (at most two at a time).
local function search_keys()
	local first, second, fields = nil, nil, {}
	for _, key in ipairs(keys) do
		local id = key_find(key)
		fields[#fields + 1] = id ~= 0 and 'c' .. bytes(id) or nil
	end
	fetch(fields)
	for _, key in ipairs(keys) do
		local c = key:byte() ~= 115 and look_up(key) or nil
		bound[key] = c ~= nil
		if c and not first then
			first = c
		elseif c and c ~= first and not second then
			second = c
		end
	end
	return first, second
end

-- The last resort: only a conversation of the last 24 h. 115: s(ubject).
local function search_subject()
	for _, key in ipairs(keys) do
		local c = key:byte() == 115 and look_up(key) or nil
		if c and now - c.last < DAY then
			return c
		end
	end
	return nil
end

-- Later messages find the conversation through any key of this one; a subject belongs to the newest one that has it.
local function bind_keys(c)
	for _, key in ipairs(keys) do
		local holder = key:byte() == 115 and look_up(key) or nil
		if not bound[key] and not (holder and (holder == c or older(c, holder))) then
			key_put(key, c, now)
		end
	end
end

local function join()
	local first, second = search_keys()
	if not first and is('r') then
		first = search_subject()
	end
	local founds = not first
	if founds then
		first = conversation_found(public_id(root_key:sub(2), root_key:sub(1, 1)), now, 0, ARGV[16])
		if root_key:byte() == 111 then -- o(wn)
			key_put(root_key, first, now)
		end
	end
	if second and older(second, first) then
		first, second = second, first
	end
	bind_keys(first)
	return first, second, founds
end

local function find_conversation()
	local c = m.known and conversation_load(m.conversation, now, memory)
	local rival
	if c then
		rival = m.rival ~= 0 and conversation_load(m.rival, now, memory) or nil
		if rival == c then
			rival = nil -- merged meanwhile
		end
	else
		c, rival, m[FOUNDER] = join()
	end
	m.conversation, m.rival = c.id, rival and rival.id or 0
	return c, rival
end

local conversation, rival = find_conversation()

local function conversation_tally(c)
	local tally = bytes(2 * c.id + side)
	fetch({ 't' .. tally, 'b' .. tally, 'a' .. tally .. sender })
	return tally_load(2 * c.id + side)
end

local of_list = tally_load(side)
local of_conversation = conversation_tally(conversation)
local of_rival = rival and conversation_tally(rival)

-- A reply joins a conversation that went out; its founder is none, nor is a replay.
local function is_joined(seen)
	if seen == REPLAY then
		return false
	elseif seen == FRESH or seen == RETRY then
		local went_out = conversation.accepted > 0 or (rival and rival.accepted > 0)
		m[JOINED] = went_out and not m[FOUNDER] or false
	end
	return m[JOINED] or false
end

-- --- its attempt ---

local function edge(window)
	return now - min(window, memory)
end

local function is_after(at, at_least)
	return at ~= 0 and at > at_least
end

-- A time as it goes out: 0 when it is past the memory.
local function remembered(at)
	return is_after(at, edge(memory)) and at or 0
end

local out = {}

local attempted = m.attempt -- when this message was counted before, 0: not yet

local function attempt_on_list(seen, counts)
	local t = of_list
	local last, before = t.last, nil
	if counts then
		local anew = seen == REPLAY or not m[COUNTED]
		before = attempt_put(t, sender, now, anew)
		-- A retry behind another message of its sender goes back to that one, not to what was before both.
		m.list_before = (anew or before ~= attempted) and before or m.list_before
		m.list_last, m.attempt, m[COUNTED] = last, now, true
	else
		before = attempt_last(t, sender)
	end
	out.list_last = remembered(last)
	out.list_was = is_after(before, edge(list_window))
	if counts then
		m[WAS_LIST] = out.list_was
	end
end

-- What stood before this attempt, as the first call of it saw it.
local function recall_list()
	out.list_last = remembered(of_list.last == m.attempt and m.list_last or of_list.last)
	out.list_was = m[WAS_LIST] or false
end

local function attempt_in_conversation(counts)
	local t = of_conversation
	local last, before = t.last, nil
	if counts then
		local anew = not m[REPLIED]
		before = attempt_put(t, sender, now, anew)
		if anew then
			m.reply = now
			reply_put(t, message, now)
		end
		m.conversation_before = (anew or before ~= attempted) and before or m.conversation_before
		m.conversation_last, m[REPLIED] = last, true
	else
		before = attempt_last(t, sender)
	end
	local at_rival = of_rival and attempt_last(of_rival, sender) or 0
	local since = edge(conversation_window)
	out.conversation_last = remembered(max(last, of_rival and of_rival.last or 0))
	out.conversation_was = is_after(before, since) or is_after(at_rival, since)
	if counts then
		m[WAS_CONVERSATION] = out.conversation_was
	end
end

local function recall_conversation()
	local last = of_conversation.last == m.attempt and m.conversation_last or of_conversation.last
	out.conversation_last = remembered(max(last, of_rival and of_rival.last or 0))
	out.conversation_was = m[WAS_CONVERSATION] or false
end

-- Duplicates and splits count nobody; posters count on the list only; a repeated call finds its own attempt.
local function attempt(seen, joined)
	local counts = seen == FRESH or seen == RETRY or seen == REPLAY
	local replies = counts and joined and not poster
	if again and counts and m[COUNTED] then
		recall_list()
	else
		attempt_on_list(seen, counts)
	end
	if again and replies and m[REPLIED] then
		recall_conversation()
	else
		attempt_in_conversation(replies)
	end
end

-- --- the numbers that go out ---

local function since_of(b)
	return b and tonumber(b[B_SINCE]) or 0
end

-- Since the phase began, that moment included.
local function phase_edge(b)
	return max(since_of(b) - 1, edge(memory))
end

local function measure_list()
	local b = of_list.breaker
	out.list_senders = senders_after(of_list, edge(list_window))
	out.list_phase = since_of(b) ~= 0 and senders_after(of_list, phase_edge(b)) or out.list_senders
end

-- Who stands in both of two tied conversations, after each of the edges.
local function overlaps(edges)
	local n, from, last = {}, '[a' .. of_rival.key .. bytes(max(0, min(unpack(edges))) + 1), '(a' .. of_rival.key .. bytes(LAST_TIME)
	for i = 1, #edges do
		n[i] = 0
	end
	repeat
		local found = call('ZRANGEBYLEX', index, from, last, 'LIMIT', 0, AT_ONCE)
		local fields = {}
		for i, row in ipairs(found) do
			fields[i] = 'a' .. of_conversation.key .. row:sub(14)
		end
		fetch(fields)
		for i, row in ipairs(found) do
			local r = get(fields[i])
			local both = r and min(r[2], time_of(row)) or 0
			for e = 1, #edges do
				n[e] = n[e] + (both > edges[e] and 1 or 0)
			end
		end
		from = '(' .. (found[#found] or '')
	until #found < AT_ONCE
	return n
end

-- Distinct senders after each edge, in one conversation or in the two that this message ties together.
local function senders_of_conversation(edges)
	local n, both = {}, rival and overlaps(edges)
	for i, after in ipairs(edges) do
		n[i] = senders_after(of_conversation, after)
		if rival then
			n[i] = min(CAP, n[i] + senders_after(of_rival, after) - both[i])
		end
	end
	return n
end

-- Of two tied conversations the less closed breaker speaks; what the policy makes of it is written to the older one.
local function choose_breaker()
	local b = of_conversation.breaker
	if not rival or not less_closed(of_rival.breaker, b) then
		return b
	end
	local chosen = of_rival.breaker
	chosen[B_VERSION] = b and b[B_VERSION] or '0'
	return chosen
end

local function measure_conversation()
	local b, window = choose_breaker(), edge(conversation_window)
	local n = senders_of_conversation({ window, edge(DAY), since_of(b) ~= 0 and phase_edge(b) or nil })
	out.breaker = b
	out.senders, out.day, out.phase = n[1], n[2], n[3] or n[1]
	out.replies = min(CAP, replies_after(of_conversation, window) + (rival and replies_after(of_rival, window) or 0))
end

-- --- its deliveries ---

local function is_forced(b)
	return b and b[B_OVERRIDE] == FORCED_OPEN
end

local function is_open(b)
	return is_forced(b) or (b and b[B_PHASE] == OPEN)
end

local function fits(sum)
	return budget <= 0 or sum == 0 or (sum <= budget and deliveries <= budget - sum)
end

local function is_more(n, limit)
	return tonumber(limit) > 0 and n > tonumber(limit)
end

local function relapses(b, senders)
	return is('o') and b and b[B_PHASE] == HALF_OPEN and senders > 1
end

-- More than may pass, or a second sender in probation: its caller is going to stop it (bw_store_over()).
local function is_over(joined)
	if is_more(out.list_senders, ARGV[21]) or relapses(of_list.breaker, out.list_phase) then
		return true
	elseif not joined then
		return false
	end
	return is_more(out.senders, ARGV[17]) or is_more(out.day, ARGV[20])
		or (is_more(out.replies, ARGV[18]) and out.senders >= tonumber(ARGV[19])) or relapses(out.breaker, out.phase)
end

local function may_pass(seen, joined)
	if is('k') or (is('u') and not joined) or seen == DUPLICATE then
		return false
	elseif seen == SPLIT then
		-- Part of a post that went out: only an operator's word stops the rest of it.
		return not is_forced(out.breaker) and not is_forced(of_list.breaker)
	end
	return out.budget_ok and not is_open(out.breaker) and not is_open(of_list.breaker) and (poster or not is_over(joined))
end

local function admit(seen, joined)
	out.deliveries = deliveries_after(of_list, edge(list_window))
	out.budget_ok = seen == SPLIT or fits(out.deliveries)
	out.provisional = may_pass(seen, joined)
	if seen == DUPLICATE then
		o.duplicated = true
	else
		o.live = false -- what an earlier call put in stays in for good
	end
	if out.provisional then
		accept(m, o, of_list, conversation, now, seen == SPLIT and m.post ~= 0 and m.post or now, deliveries)
	end
end

-- --- the whole ---

local function store(seen)
	o.known, o.seen = true, seen
	m.recipients = expander and m.recipients or recipients
	m.seen = max(m.seen, now)
	conversation.last = max(conversation.last, now)
	offer_store(m, recipients, o, now)
	message_store(m, now)
	conversation_write(conversation)
	tally_store(of_list)
	tally_store(of_conversation)
	flush(now, memory)
	if call('ZCARD', index) > CAP then
		trim(of_list.key)
		trim(of_conversation.key)
	end
	-- Now and then a look at what expire() should have collected long ago, so that a list that never rests stays bounded.
	if now % 4 == 0 then
		sweep(now, now - 4 * memory, 128)
	end
end

local function flag(yes)
	return yes and 1 or 0
end

local seen = recognise()
-- A repeated call starts where the first one did.
if again and seen ~= DUPLICATE then
	take_back(m, o, of_list, conversation)
end
local joined = is_joined(seen)
attempt(seen, joined)
measure_list()
measure_conversation()
admit(seen, joined)
if not is('q') then
	store(seen)
end
return {
	now, seen, conversation.hash, flag(joined), flag(rival and is('m')),
	out.senders, out.replies, out.day, out.phase, out.conversation_last, flag(out.conversation_was),
	out.list_senders, out.list_phase, out.list_last, flag(out.list_was),
	out.deliveries, flag(out.budget_ok), flag(out.provisional), out.breaker or {}, of_list.breaker or {},
}
