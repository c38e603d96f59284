-- orders.lua (after site.lua): what operators have ordered to be done with held and queued mail; one row an order, one an item.
--
-- KEYS   1 numbers   2 orders: hash, id -> row   3 ordered: sorted set, id by number   4 items: hash, id .. number -> row
-- ARGV   3 what to do:
--          put ID KIND HOST OWNER REASON PACE OBSERVE EXPIRES TTL N (NUMBER SUBJECT MTA QUEUE-ID LIST TEXT DELIVERIES) * N
--                                     reply: {1: written, 0: not being written any more, -1: a piece was left out; state; items}
--          move ID FROM TO BY NOTE TTL    reply: {1: moved, 0: in another state; state}; {}: no such
--          result ID NUMBER RESULT NOTE   reply: 1; 0: no such item
--          each AFTER ID HOST LIVE        reply: {number looked at last, 0: all; rows}, the newest first; '' selects all
--          items AFTER ID LIMIT PENDING   reply: {number of the next item, 0: all; rows}, from number AFTER on
--          tidy KEPT WRITING              removes orders that ended, or should have, before KEPT; and ends what has been written since
--                                         WRITING. Bounded work
--        order: number, id, kind, host, owner, reason, pace, observe, made, expires, state, since, by, note, items, pending, done,
--        gone, refused, failed, deliveries
--        item: number, subject, mta, queue id, list, text, deliveries, result, note, done

local orders, ordered, items = KEYS[2], KEYS[3], KEYS[4]
local EXPIRES, STATE, SINCE, BY, NOTE, ITEMS, PENDING, DELIVERIES = 11, 12, 13, 14, 15, 16, 17, 22
local OF_ITEM, ITEM_DELIVERIES, RESULT, ITEM_NOTE, DONE_AT = 7, 8, 9, 10, 11
local WRITING, DONE, CANCELLED = '0', '4', '5'
local AT_ONCE, DROPPED = 256, 1024

local function keep(ttl)
	call('PEXPIRE', orders, ttl)
	call('PEXPIRE', ordered, ttl)
	call('PEXPIRE', items, ttl)
end

local function order(id)
	local there = call('HGET', orders, id)
	return there and row(there)
end

local function add(r, field, amount)
	r[field] = text(tonumber(r[field]) + amount)
end

local function make()
	local now, n = text(clock_seen()), next_number('ordered')
	local r = { FORMAT, text(n), ARGV[4], ARGV[5], ARGV[6], ARGV[7], ARGV[8], ARGV[9], ARGV[10], now, ARGV[11], WRITING, now,
		ARGV[7], '', '0', '0', '0', '0', '0', '0', '0' }
	call('ZADD', ordered, n, ARGV[4])
	return r
end

-- Items have numbers without a gap; what is there already stays.
local function whole(have)
	local next = have
	for i = 14, #ARGV, OF_ITEM do
		local number = tonumber(ARGV[i])
		if number > next then
			return nil
		end
		next = number == next and next + 1 or next
	end
	return next
end

function todo.put()
	local r = order(ARGV[4])
	if r and r[STATE] ~= WRITING then
		return { 0, r[STATE], r[ITEMS] }
	end
	local have = r and tonumber(r[ITEMS]) or 0
	local next = whole(have)
	if not next then
		return { -1, WRITING, text(have) }
	end
	r = r or make()
	for i = 14, #ARGV, OF_ITEM do
		if tonumber(ARGV[i]) >= have then
			local item = { FORMAT }
			for k = i, i + OF_ITEM - 1 do
				item[#item + 1] = ARGV[k]
			end
			item[RESULT], item[ITEM_NOTE], item[DONE_AT] = '0', '', '0'
			call('HSETNX', items, ARGV[4] .. ARGV[i], pack(item))
		end
	end
	add(r, ITEMS, next - have)
	add(r, PENDING, next - have)
	call('HSET', orders, ARGV[4], pack(r))
	keep(ARGV[12])
	return { 1, WRITING, r[ITEMS] }
end

function todo.move()
	local r = order(ARGV[4])
	if not r then
		return {}
	end
	if r[STATE] ~= ARGV[5] then
		return { 0, r[STATE] }
	end
	r[STATE], r[SINCE], r[BY], r[NOTE] = ARGV[6], text(clock_seen()), ARGV[7], ARGV[8]
	call('HSET', orders, ARGV[4], pack(r))
	keep(ARGV[9])
	return { 1, r[STATE] }
end

function todo.result()
	local r, field = order(ARGV[4]), ARGV[4] .. ARGV[5]
	local there = r and call('HGET', items, field)
	if not there then
		return 0
	end
	local item = row(there)
	if item[RESULT] ~= '0' then
		return 1
	end
	item[RESULT], item[ITEM_NOTE], item[DONE_AT] = ARGV[6], ARGV[7], text(clock_seen())
	add(r, PENDING, -1)
	add(r, PENDING + tonumber(ARGV[6]), 1)
	add(r, DELIVERIES, ARGV[6] == '1' and tonumber(item[ITEM_DELIVERIES]) or 0)
	call('HSET', items, field, pack(item))
	call('HSET', orders, ARGV[4], pack(r))
	return 1
end

local function selects(r)
	return (ARGV[6] == '' or r[5] == ARGV[6]) and (ARGV[7] == '0' or tonumber(r[STATE]) < tonumber(DONE))
end

function todo.each()
	local ids, rows, last = { ARGV[5] }, {}, '0'
	if ARGV[5] == '' then
		ids = call('ZREVRANGEBYSCORE', ordered, ARGV[4] == '0' and '+inf' or '(' .. ARGV[4], '-inf', 'LIMIT', 0, AT_ONCE)
	end
	for _, packed in ipairs(#ids > 0 and call('HMGET', orders, unpack(ids)) or {}) do
		local r = packed and row(packed)
		if r then
			rows[#rows + 1] = selects(r) and r or nil
			last = r[2]
		end
	end
	return { ARGV[5] == '' and #ids == AT_ONCE and last or '0', rows }
end

function todo.items()
	local r, fields, rows = order(ARGV[5]), {}, {}
	local number, limit = tonumber(ARGV[4]), tonumber(ARGV[6])
	local count = r and tonumber(r[ITEMS]) or 0
	while number < count and #fields < AT_ONCE do
		fields[#fields + 1] = ARGV[5] .. text(number)
		number = number + 1
	end
	for i, packed in ipairs(#fields > 0 and call('HMGET', items, unpack(fields)) or {}) do
		local item = packed and row(packed)
		if item and (ARGV[7] == '0' or item[RESULT] == '0') then
			rows[#rows + 1] = item
		end
		if limit > 0 and #rows == limit then
			return { '0', rows }
		end
	end
	return { number < count and text(number) or '0', rows }
end

local function past(r, kept, writing)
	if r[STATE] == WRITING and tonumber(r[SINCE]) <= writing then
		-- Its writer is lost. Who comes back finds it ended.
		r[STATE], r[SINCE] = CANCELLED, '1'
	end
	local live = tonumber(r[STATE]) < tonumber(DONE)
	return r[STATE] ~= WRITING and tonumber(live and r[EXPIRES] or r[SINCE]) <= kept
end

-- Items first, from the last on; how many more may go in this call.
local function drop(id, r, budget)
	local left = tonumber(r[ITEMS])
	while left > 0 and budget > 0 do
		left, budget = left - 1, budget - 1
		call('HDEL', items, id .. text(left))
	end
	r[ITEMS] = text(left)
	if left > 0 then
		call('HSET', orders, id, pack(r))
	else
		call('HDEL', orders, id)
		call('ZREM', ordered, id)
	end
	return budget
end

function todo.tidy()
	local last, budget = call('HGET', numbers, 'ordered-swept') or '0', DROPPED
	local ids, next_last = call('ZRANGEBYSCORE', ordered, '(' .. last, '+inf', 'LIMIT', 0, AT_ONCE), '0'
	for i, id in ipairs(ids) do
		local r = order(id)
		if not r then
			call('ZREM', ordered, id)
		elseif past(r, tonumber(ARGV[4]), tonumber(ARGV[5])) then
			budget = drop(id, r, budget)
		end
		if budget == 0 then
			break -- from here on the next time
		end
		next_last = r and (#ids == AT_ONCE or i < #ids) and r[2] or '0'
	end
	call('HSET', numbers, 'ordered-swept', next_last)
	return 1
end

return todo[ARGV[3]]()
