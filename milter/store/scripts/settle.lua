-- settle.lua (after list.lua and list-rare.lua): the end of a message. What count() assumed is confirmed, taken back, or given back; tied
-- conversations are merged; and a held message goes out.
--
-- KEYS   as list.lua says
-- ARGV   1 now in ms, 0: the server's   2 not before this time   3 list   4 side: 0, 1   5 message   6 recipients   7 sender
--        8 conversation   9 flags, letters: a accepted, g gives back, m merges, r released from the hold queue   10 deliveries
-- reply  now; 0: nothing is known of this message

local side, message, recipients, sender = tonumber(ARGV[4]), ARGV[5], ARGV[6], ARGV[7]
local deliveries = tonumber(ARGV[10])
local r = rare()

local function is(flag)
	return ARGV[9]:find(flag, 1, true) ~= nil
end

local released = is('r')
local accepted = is('a') or released

fetch({ 'l', 'm' .. message, 'p' .. message .. recipients, 't' .. bytes(side), 'b' .. bytes(side), 'a' .. bytes(side) .. sender })
list_load(ARGV[3])
if list.new and not accepted then
	return 0
end

-- Whatever its age: an operator may end what the counters have forgotten.
local now = clock(tonumber(ARGV[1]), tonumber(ARGV[2]))
local m = message_load(message)
local o = part_load(m, recipients)
if released or not o.known then
	o = m.own
end
if not accepted and not m.known then
	return 0
end
local conversation = m.known and conversation_load(m.conversation)
if not conversation and accepted then
	conversation = r.conversation_revive(ARGV[8], now)
end
local rival = conversation_load(m.rival)
local of_list = tally_load(bytes(side))

-- --- accepted ---

local function accept_it()
	local at = o.seen == SPLIT and m.post ~= 0 and m.post or now
	r.delivery_add(of_list, at, message, deliveries)
	accept(m, o, conversation, now, at, deliveries)
	if conversation then
		conversation.last = max(conversation.last, now)
	end
end

-- Its deliveries are made now, whatever was counted before; but not twice when this very call is repeated.
local function release()
	if not (o.accepted == now and o.at == now and r.delivery_find(of_list, now, message)) then
		o.live = 0
		accept_it()
	end
end

-- --- not accepted ---

-- Undoes one attempt in a tally; who was last before it is last again.
local function give_back_attempt(t, before, last)
	r.attempt_give_back(t, sender, m.attempt, before)
	if t.last == m.attempt then
		t.last = last
	end
end

local function give_back_reply()
	if conversation then
		local t = tally_load(bytes(2 * conversation.id + side))
		give_back_attempt(t, m.conversation_before, m.conversation_last)
		r.reply_take(t, message, m.reply)
		tally_store(t)
	end
	m.replied, m.reply = 0, 0
end

local function give_back(seen)
	-- A replay gives back its own attempt only; duplicates and splits made none.
	if seen == REPLAY then
		give_back_attempt(of_list, m.list_before, m.list_last)
	elseif seen ~= DUPLICATE and seen ~= SPLIT and m.accepted == 0 then
		if m.counted == 1 then
			give_back_attempt(of_list, m.list_before, m.list_last)
		end
		if m.replied == 1 then
			give_back_reply()
		end
		m.counted = 0
	end
end

local function refuse()
	local seen = o.seen
	if seen == DUPLICATE then
		o.duplicated = 0
	else
		r.take_back(m, o, of_list, conversation)
	end
	if is('g') then
		give_back(seen)
	end
	o.seen = SETTLED
end

-- --- two conversations become one ---

-- Moves one page of a tally's attempts to another; false: there was none.
local function move_attempts(from, to)
	local found, fields = r.range('a' .. from.key, 0, LAST_TIME, AT_ONCE / 4), {}
	for _, row in ipairs(found) do
		remove_row(row)
		fields[#fields + 1] = 'a' .. from.key .. row:sub(14)
		fields[#fields + 1] = 'a' .. to.key .. row:sub(14)
	end
	fetch(fields)
	for i = 1, #fields, 2 do
		local who = fields[i]:sub(8)
		local at, standing = standing_of(from, who)
		local there_at, there_standing = standing_of(to, who)
		if at > there_at then
			if there_at ~= 0 then
				remove_row('a' .. to.key .. bytes(there_at) .. who)
			end
			add_row('a' .. to.key .. bytes(at) .. who)
		end
		r.drop(fields[i])
		set(fields[i + 1], pack(STANDING, FORMAT, max(at, there_at), standing + there_standing))
	end
	write()
	return #found > 0
end

local function move_replies(from, to)
	local found = r.range('r' .. from.key, 0, LAST_TIME, AT_ONCE / 4)
	for _, row in ipairs(found) do
		remove_row(row)
		add_row('r' .. to.key .. row:sub(8))
	end
	write()
	return #found > 0
end

local function merge_tally(into, from)
	local a, b = tally_load(bytes(into)), tally_load(bytes(from))
	if not b.known then
		return
	end
	a.last, a.oldest = max(a.last, b.last), min(a.oldest, b.oldest)
	if r.less_closed(b.breaker, a.breaker) then
		b.breaker[B_VERSION] = string.format('%.0f', tonumber(a.breaker and a.breaker[B_VERSION] or '0') + 1)
		r.breaker_put(a, b.breaker)
	end
	if b.breaker then
		r.breaker_drop(b)
	end
	r.drop('t' .. b.key)
	repeat until not move_attempts(b, a)
	repeat until not move_replies(b, a)
	a.attempts, a.replies = count_after('a' .. a.key, 0), count_after('r' .. a.key, 0)
	r.trim(a)
	tally_store(a)
end

-- The younger's keys, messages and public id lead to the older through it.
local function merge()
	if not conversation or not rival then
		return
	end
	if rival ~= conversation then
		local into, from = conversation, rival
		if older(from, into) then
			into, from = from, into
		end
		into.last = max(into.last, from.last)
		into.accepted = into.accepted + from.accepted
		from.into, from.root = into.id, ''
		conversation_write(from)
		write()
		for _, row in ipairs(r.redirected(from)) do
			remove_row(row)
			add_row('q' .. bytes(into.id) .. row:sub(8))
		end
		merge_tally(2 * into.id, 2 * from.id)
		merge_tally(2 * into.id + 1, 2 * from.id + 1)
		conversation = into
	end
	rival = false
end

-- --- the whole ---

if not accepted then
	refuse()
elseif released then
	release()
elseif o.seen ~= DUPLICATE and o.live == 0 then
	accept_it()
end
if is('a') and is('m') then
	merge()
end
if not m.known then
	m.seen = now
end
m.conversation, m.rival = conversation and conversation.id or 0, rival and rival.id or 0
offer_store(m, recipients, o, now)
message_store(m, now)
if conversation then
	conversation_write(conversation)
end
tally_store(of_list)
flush(now)
return now
