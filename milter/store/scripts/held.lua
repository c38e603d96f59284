-- held.lua (after site.lua): the ledger, one row a held message.
--
-- KEYS   1 numbers   2 held: hash, id -> row   3 order: sorted set, id by number
-- ARGV   3 what to do:
--          put ID HOST QUEUE-ID MTA LIST CONVERSATION GUARD SENTENCE SENDER IDENTITY MESSAGE-ID SUBJECT DELIVERIES BYTES MESSAGE
--              SIDE STATE STATE-MS STATE-BY N (LIST SIDE CONVERSATION DELIVERIES) * N AUTOMATIC
--                                reply: 1; 0: another message stands under this id
--          move ID FROM TO BY QUEUE-ID    reply: {1: moved, 0: in another state; 1: its lists are owed the news of its release;
--                                state; state since, list, side, message, conversation, deliveries, N, the lists as in put};
--                                {}: no such. QUEUE-ID '': as it was
--          paid ID               its lists know of the release
--          each AFTER LIMIT ID CONVERSATION LIST STATE SINCE     reply: {number looked at last, 0: all; rows}; '' selects all
--        row: number, id, host, queue id, mta, list, conversation, guard, sentence, sender, identity, message id, subject,
--        deliveries, bytes, held, message, side, state, state since, by, owed, N, the lists as in put, automatic (not in old ones)

local held, order = KEYS[2], KEYS[3]
local QUEUE_ID, LIST, CONVERSATION, DELIVERIES, HELD, MESSAGE, SIDE, STATE, SINCE, BY, OWED = 5, 7, 8, 15, 17, 18, 19, 20, 21, 22, 23
local LISTS, OF_LIST = 24, 4
local WITH_LISTS = 2 -- the first format that has them
local RELEASED = '1'
local AT_ONCE = 256

-- Older entries have no lists but their own.
local function entry(packed)
	local r = row(packed)
	r[LISTS] = r[LISTS] or '0'
	return r
end

function todo.put()
	local there = call('HGET', held, ARGV[4])
	if there then
		-- Said again after an answer that got lost: the entry is there, and stays as it is.
		local r = row(there)
		return r[MESSAGE] == ARGV[18] and r[QUEUE_ID] == ARGV[6] and 1 or 0
	end
	local now, n = clock_seen(), next_number('held')
	local r = { FORMAT, text(n) }
	for i = 4, 17 do
		r[#r + 1] = ARGV[i]
	end
	r[#r + 1] = text(now)
	for i = 18, 22 do
		r[#r + 1] = ARGV[i]
	end
	r[#r + 1] = '0'
	for i = 23, FORMAT >= WITH_LISTS and #ARGV or 0 do
		r[#r + 1] = ARGV[i]
	end
	call('HSET', held, ARGV[4], pack(r))
	call('ZADD', order, n, ARGV[4])
	return 1
end

function todo.move()
	local there = call('HGET', held, ARGV[4])
	local to = ARGV[6]
	if not there then
		return {}
	end
	local r = entry(there)
	local moves = r[STATE] == ARGV[5]
	if moves then
		r[STATE], r[SINCE], r[BY], r[OWED] = to, text(clock_seen()), ARGV[7], to == RELEASED and '1' or '0'
		r[QUEUE_ID] = ARGV[8] ~= '' and ARGV[8] or r[QUEUE_ID]
		call('HSET', held, ARGV[4], pack(r))
	end
	local reply = { moves and 1 or 0, r[OWED], r[STATE], r[SINCE], r[LIST], r[SIDE], r[MESSAGE], r[CONVERSATION], r[DELIVERIES] }
	for i = LISTS, #r do
		reply[#reply + 1] = r[i]
	end
	return reply
end

function todo.paid()
	local there = call('HGET', held, ARGV[4])
	if there then
		local r = row(there)
		r[OWED] = '0'
		call('HSET', held, ARGV[4], pack(r))
	end
	return 1
end

local function has_list(r, list)
	local found = r[LIST] == list
	for i = LISTS + 1, LISTS + OF_LIST * tonumber(r[LISTS]), OF_LIST do
		found = found or r[i] == list
	end
	return found
end

local function selects(r)
	return (ARGV[7] == '' or r[CONVERSATION] == ARGV[7]) and (ARGV[8] == '' or has_list(r, ARGV[8]))
		and (ARGV[9] == '' or r[STATE] == ARGV[9]) and tonumber(r[HELD]) >= tonumber(ARGV[10])
end

function todo.each()
	local ids, rows, last = { ARGV[6] }, {}, '0'
	if ARGV[6] == '' then
		ids = call('ZRANGEBYSCORE', order, '(' .. ARGV[4], '+inf', 'LIMIT', 0, AT_ONCE)
	end
	for _, packed in ipairs(#ids > 0 and call('HMGET', held, unpack(ids)) or {}) do
		local r = packed and entry(packed)
		if r and #rows < tonumber(ARGV[5]) then
			rows[#rows + 1] = selects(r) and r or nil
			last = r[2]
		end
	end
	local more = ARGV[6] == '' and (#ids == AT_ONCE or #rows == tonumber(ARGV[5]))
	return { more and last or '0', rows }
end

return todo[ARGV[3]]()
