-- count.lua (after list.lua, list-rare.lua and sweep-list.lua): one message on one list. Recognised, joined, counted, and its
-- deliveries added while they fit. No rule is known here: windows, budget and limits come as arguments, plain numbers go out,
-- and none of them is kept.
--
-- KEYS   as list.lua says
-- ARGV   1 numbers, packed: now in ms, 0: the server's; not before this time; side; 9 flags: looks like a reply, may merge,
--          expander, poster, again, known to be stopped, stopped unless a reply, peek (write nothing), one sender in probation;
--          deliveries; budget, 0: none; windows of the conversation and of the list; memory; how many may pass, 0: any: senders,
--          replies, by so many senders, senders in 24 h, senders of the list
--        2 list   3 message   4 recipients   5 sender   6 join keys, strongest first, each a class and 16 bytes, each once
--        7 the root's key, likewise   8 the root's sender; behind a NUL: of a proven identity
-- reply  numbers, packed: now; seen, joined, merge wanted; of the conversation: senders, replies, senders in 24 h, senders since its
--        phase, last attempt, sender was counted; of the list: senders, senders since its phase, last attempt, sender was
--        counted, deliveries; budget ok, provisional; public id of the conversation;
--        then the breakers of conversation and list (arrays, empty: none)

local DUPLICATE_WITHIN = 600000 -- a lost 250 comes again (semantics 3)
local REPLY = '>I6BBBI4I4I4I4I6BI4I4I6BI7BBc16'
local NONE = {}

local now, at_least, side, looks_like_reply, may_merge, expander, poster, again, known_stopped, stopped_unless_reply, peek,
	one_in_probation, deliveries, budget, conversation_window, list_window, memory, pass_senders, pass_replies, pass_reply_senders,
	pass_day_senders, pass_list_senders = take('>I6I6BBBBBBBBBBI7I7I6I6I6I4I4I4I4I4', ARGV[1])
local message, recipients, sender, root = ARGV[3], ARGV[4], ARGV[5], ARGV[7]
local keys = {}

-- --- one trip for what is certainly needed ---

do
	local tally = bytes(side)
	local fields, n = { 'l', 'm' .. message, 't' .. tally, 'b' .. tally, 'a' .. tally .. sender }, 5
	for i = 1, #ARGV[6], 17 do
		local key = ARGV[6]:sub(i, i + 16)
		keys[#keys + 1] = key
		n = n + 1
		fields[n] = 'k' .. key
	end
	if expander == 1 then
		fields[n + 1] = 'p' .. message .. recipients
	end
	fetch(fields)
end
list_load(ARGV[2])
now = clock(now, at_least)
local m = message_load(message, now, memory)
local o = expander == 1 and part_load(m, recipients, now, memory) or m.own

-- --- what it is ---

local function recognise()
	if not m.known then
		return FRESH
	elseif again == 1 and o.known and o.seen < SETTLED then
		return o.seen
	elseif o.accepted == 0 then
		if m.accepted == 0 then
			return RETRY
		end
		return expander == 1 and SPLIT or REPLAY
	elseif expander == 0 and m.recipients ~= NO_HASH and m.recipients ~= recipients then
		-- A lost 250 comes again to the same recipients; to others it is a new post under an old name.
		return REPLAY
	elseif o.duplicated == 0 and now - o.accepted < DUPLICATE_WITHIN then
		return DUPLICATE
	end
	return REPLAY
end

local seen = recognise()

-- --- its conversation ---

local function look_up(key)
	return conversation_load(key_find(key), now, memory)
end

-- Joins through any key of the list, strongest first, or founds. The second conversation that the keys point at is its rival;
-- a third is left alone (at most two at a time). 115: s(ubject), the last resort: only for what looks like a reply, and only a
-- conversation of the last 24 h. 111: o(wn).
local function join()
	local first, second, bound, fields, founds = nil, nil, {}, {}, 0
	for i = 1, #keys do
		local id = key_find(keys[i])
		fields[#fields + 1] = id ~= 0 and 'c' .. bytes(id) or nil
	end
	fetch(fields)
	for i = 1, #keys do
		local c = keys[i]:byte() ~= 115 and look_up(keys[i])
		bound[i] = c
		if c and not first then
			first = c
		elseif c and c ~= first and not second then
			second = c
		end
	end
	for i = 1, first and 0 or #keys do
		local c = looks_like_reply == 1 and keys[i]:byte() == 115 and look_up(keys[i])
		if c and now - c.last < DAY then
			first = c
			break
		end
	end
	if not first then
		founds = 1
		first = conversation_found(public_id(root:sub(2), root:sub(1, 1)), now, 0, ARGV[8])
		if root:byte() == 111 then
			key_put(root, first, now)
		end
	end
	if second and older(second, first) then
		first, second = second, first
	end
	-- Later messages find it through any key of this one; a subject belongs to the newest conversation that has it.
	for i = 1, #keys do
		local holder = keys[i]:byte() == 115 and look_up(keys[i])
		if not bound[i] and not (holder and (holder == first or older(first, holder))) then
			key_put(keys[i], first, now)
		end
	end
	return first, second, founds
end

local conversation, rival = m.known and conversation_load(m.conversation, now, memory), nil
if conversation then
	rival = m.rival ~= 0 and conversation_load(m.rival, now, memory) or nil
	if rival == conversation then
		rival = nil -- merged meanwhile
	end
else
	conversation, rival, m.founder = join()
end
m.conversation, m.rival = conversation.id, rival and rival.id or 0

local function conversation_tally(c)
	local tally = bytes(2 * c.id + side)
	fetch({ 't' .. tally, 'b' .. tally, 'a' .. tally .. sender })
	return tally_load(tally)
end

local of_list = tally_load(bytes(side))
local of_conversation = conversation_tally(conversation)
local of_rival = rival and conversation_tally(rival)

-- A repeated call starts where the first one did.
if again == 1 and seen ~= DUPLICATE then
	rare().take_back(m, o, of_list, conversation)
end

-- A reply joins a conversation that went out; its founder is none, nor is a replay.
local joined = false
if seen ~= REPLAY then
	if seen == FRESH or seen == RETRY then
		local went_out = conversation.accepted > 0 or (rival and rival.accepted > 0)
		m.joined = went_out and m.founder == 0 and 1 or 0
	end
	joined = m.joined == 1
end

-- --- its attempt ---

local oldest = now - memory
local list_edge, conversation_edge = max(oldest, now - list_window), max(oldest, now - conversation_window)

-- A time as it goes out: 0 when it is past the memory.
local function remembered(at)
	return at > oldest and at or 0
end

-- Duplicates and splits count nobody; posters count on the list only; a repeated call finds its own attempt.
local counts = seen == FRESH or seen == RETRY or seen == REPLAY
local replies = counts and joined and poster == 0
local attempted = m.attempt -- when this message was counted before, 0: not yet
local list_last, list_was, conversation_last, conversation_was

if again == 1 and counts and m.counted == 1 then
	-- What stood before, as the first call saw it.
	list_last = of_list.last == attempted and m.list_last or of_list.last
	list_was = m.was_list
else
	local before
	list_last = of_list.last
	if counts then
		local anew = seen == REPLAY or m.counted == 0
		before = attempt_put(of_list, sender, now, anew)
		-- A retry behind another message of its sender goes back to that one, not to what was before both.
		if anew or before ~= attempted then
			m.list_before = before
		end
		m.list_last, m.attempt, m.counted = list_last, now, 1
	else
		before = standing_of(of_list, sender)
	end
	list_was = before ~= 0 and before > list_edge and 1 or 0
	if counts then
		m.was_list = list_was
	end
end

if again == 1 and replies and m.replied == 1 then
	conversation_last = of_conversation.last == m.attempt and m.conversation_last or of_conversation.last
	conversation_was = m.was_conversation
else
	local before
	conversation_last = of_conversation.last
	if replies then
		local anew = m.replied == 0
		before = attempt_put(of_conversation, sender, now, anew)
		if anew then
			m.reply = now
			reply_put(of_conversation, message, now)
		end
		if anew or before ~= attempted then
			m.conversation_before = before
		end
		m.conversation_last, m.replied = conversation_last, 1
	else
		before = standing_of(of_conversation, sender)
	end
	local at_rival = rival and standing_of(of_rival, sender) or 0
	conversation_was = max(before, at_rival) ~= 0 and max(before, at_rival) > conversation_edge and 1 or 0
	if replies then
		m.was_conversation = conversation_was
	end
end
if rival then
	conversation_last = max(conversation_last, of_rival.last)
end

-- --- the numbers that go out ---

-- Since the phase began, that moment included; nil: there is none.
local function phase_edge(b)
	local since = b and tonumber(b[B_SINCE]) or 0
	return since ~= 0 and max(since - 1, oldest) or nil
end

-- Who stands in both of two tied conversations after an edge. (Rare: until the message is settled they are two.)
local function in_both(edge)
	local n, from = 0, '[a' .. of_rival.key .. bytes(max(0, edge) + 1)
	repeat
		local page, fields = call('ZRANGEBYLEX', index, from, '(a' .. of_rival.key .. '\255', 'LIMIT', 0, AT_ONCE), {}
		for i = 1, #page do
			fields[i] = 'a' .. of_conversation.key .. page[i]:sub(14)
		end
		fetch(fields)
		for i = 1, #page do
			local there_too = standing_of(of_conversation, page[i]:sub(14))
			n = n + (there_too > edge and there_too ~= 0 and 1 or 0)
		end
		from = '(' .. (page[#page] or '')
	until #page < AT_ONCE
	return n
end

local function conversation_senders(edge)
	local n = senders_after(of_conversation, edge)
	if rival then
		n = min(CAP, n + senders_after(of_rival, edge) - in_both(edge))
	end
	return n
end

-- Of two tied conversations the less closed breaker speaks; what the policy makes of it is written to the older one.
local breaker = of_conversation.breaker
if rival and rare().less_closed(of_rival.breaker, breaker) then
	local version = breaker and breaker[B_VERSION] or '0'
	breaker = of_rival.breaker
	breaker[B_VERSION] = version
end

local list_senders = senders_after(of_list, list_edge)
local list_phase = phase_edge(of_list.breaker)
list_phase = list_phase and senders_after(of_list, list_phase) or list_senders

local senders, day = conversation_senders(conversation_edge), conversation_senders(max(oldest, now - DAY))
local phase = phase_edge(breaker)
phase = phase and conversation_senders(phase) or senders
local reply_count = replies_after(of_conversation, conversation_edge)
if rival then
	reply_count = reply_count + replies_after(of_rival, conversation_edge)
end
reply_count = min(CAP, reply_count)

-- --- its deliveries ---

local function is_forced(b)
	return b and b[B_OVERRIDE] == FORCED_OPEN
end

local function is_open(b)
	return b and (b[B_OVERRIDE] == FORCED_OPEN or b[B_PHASE] == OPEN)
end

local function is_more(n, limit)
	return limit > 0 and n > limit
end

local function relapses(b, n)
	return one_in_probation == 1 and b and b[B_PHASE] == HALF_OPEN and n > 1
end

-- More than may pass, or a second sender in probation: its caller is going to stop it (bw_store_over()).
local function is_over()
	if is_more(list_senders, pass_list_senders) or relapses(of_list.breaker, list_phase) then
		return true
	end
	return joined and (is_more(senders, pass_senders) or is_more(day, pass_day_senders)
		or (is_more(reply_count, pass_replies) and senders >= pass_reply_senders) or relapses(breaker, phase))
end

local sum = deliveries_after(of_list, list_edge)
local budget_ok = seen == SPLIT or budget == 0 or sum == 0 or (sum <= budget and deliveries <= budget - sum)
local provisional

if known_stopped == 1 or (stopped_unless_reply == 1 and not joined) or seen == DUPLICATE then
	provisional = false
elseif seen == SPLIT then
	-- Part of a post that went out: only an operator's word stops the rest of it.
	provisional = not is_forced(breaker) and not is_forced(of_list.breaker)
else
	provisional = budget_ok and not is_open(breaker) and not is_open(of_list.breaker) and (poster == 1 or not is_over())
end
if seen == DUPLICATE then
	o.duplicated = 1
else
	o.live = 0 -- what an earlier call put in stays in for good
end
if provisional then
	local at = seen == SPLIT and m.post ~= 0 and m.post or now
	if m.known then
		rare().delivery_add(of_list, at, message, deliveries)
	elseif deliveries > 0 then
		add_row(delivery_row(of_list, at, message, deliveries))
		of_list.sum = of_list.sum + (at > of_list.edge and deliveries or 0)
	end
	accept(m, o, conversation, now, at, deliveries)
end

-- --- writing ---

local function look_after()
	local r = rare()
	if r.trim(of_list) then
		tally_store(of_list)
	end
	if r.trim(of_conversation) then
		tally_store(of_conversation)
	end
	write()
end

if peek == 0 then
	o.known, o.seen = true, seen
	m.recipients = expander == 1 and m.recipients or recipients
	m.seen = max(m.seen, now)
	conversation.last = max(conversation.last, now)
	offer_store(m, recipients, o, now)
	message_store(m, now)
	conversation_write(conversation, now)
	tally_store(of_list)
	if of_conversation.to or replies then
		tally_store(of_conversation)
	end
	flush(now, memory)
	if of_list.attempts > CAP or of_conversation.attempts > CAP or of_conversation.replies > CAP then
		look_after()
	end
	-- Now and then a look at what expire() should have collected long ago, so that a list that never rests stays bounded.
	if now % 16 == 0 then
		local s = sweeper(now, now - 4 * memory, 512)
		if s.garbage() > 0 then
			s.tallies()
			write()
		end
	end
end

local function flag(yes)
	return yes and 1 or 0
end

return {
	pack(REPLY, now, seen, flag(joined), flag(rival and may_merge == 1), senders, reply_count, day, phase, remembered(conversation_last),
		conversation_was, list_senders, list_phase, remembered(list_last), list_was, sum, flag(budget_ok), flag(provisional),
		conversation.hash),
	breaker or NONE, of_list.breaker or NONE,
}
