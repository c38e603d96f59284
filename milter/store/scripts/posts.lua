-- posts.lua (after site.lua): accepted posts, while they may still be queued; one row a message, with all its lists.
--
-- KEYS   1 numbers   2 posts: hash, id -> row   3 posted: sorted set, id by number
-- ARGV   3 what to do:
--          put TTL MOST FROZEN (ID HOST QUEUE-ID MTA SENDER MESSAGE-ID ACCEPTED STATE SINCE LIST CONVERSATION DELIVERIES) * N
--                                     beyond MOST the oldest that are not FROZEN go; reply: 1
--          move ID STATE TTL QUEUE-ID   '': it keeps its own; reply: 1; 0: no such
--          each AFTER LIMIT ID CONVERSATION LIST HOST SINCE    reply: {number looked at last, 0: all; rows}; '' selects all
--          tidy KEPT FROZEN FROZEN-KEPT DROPPED   removes what was accepted before KEPT, unless it was FROZEN or DROPPED after FROZEN-KEPT.
--                                     Bounded work
--        row: number, id, host, queue id, mta, sender, message id, accepted, state, since, (list, conversation, deliveries) * N
--        rows of each: number, id, ... since, list, conversation, deliveries: one a list

local posts, posted = KEYS[2], KEYS[3]
local HOST, QUEUE_ID, ACCEPTED, STATE, SINCE, LISTS = 4, 5, 9, 10, 11, 12
local OF_LIST, OF_POST = 3, 12
local AT_ONCE = 256

local function has_list(r, list)
	for i = LISTS, #r, OF_LIST do
		if r[i] == list then
			return true
		end
	end
	return false
end

local function put(at, now)
	local id = ARGV[at]
	local there = call('HGET', posts, id)
	local r = there and row(there)
	if not r then
		local n = next_number('posted')
		r = { FORMAT, text(n) }
		for i = at, at + OF_POST - OF_LIST - 1 do
			r[#r + 1] = ARGV[i]
		end
		r[ACCEPTED] = r[ACCEPTED] == '0' and text(now) or r[ACCEPTED]
		r[SINCE] = r[SINCE] == '0' and r[ACCEPTED] or r[SINCE]
		call('ZADD', posted, n, id)
	elseif has_list(r, ARGV[at + OF_POST - OF_LIST]) then
		return
	end
	for i = at + OF_POST - OF_LIST, at + OF_POST - 1 do
		r[#r + 1] = ARGV[i]
	end
	call('HSET', posts, id, pack(r))
end

local function drop(id)
	call('HDEL', posts, id)
	call('ZREM', posted, id)
end

-- More of them than came: so a store that was over its bound comes back below it. What is frozen is passed by for good.
local function bound(most, frozen, came)
	local newest, from = number('posted'), call('HGET', numbers, 'posted-bound') or '0'
	for _, id in ipairs(call('ZRANGEBYSCORE', posted, '(' .. from, text(newest - most), 'LIMIT', 0, 2 * came)) do
		local there = call('HGET', posts, id)
		local r = there and row(there)
		if r and r[STATE] == frozen then
			call('HSET', numbers, 'posted-bound', r[2])
		else
			drop(id)
		end
	end
end

local function keep(ttl)
	call('PEXPIRE', posts, ttl)
	call('PEXPIRE', posted, ttl)
end

function todo.put()
	local now, came = clock_seen(), 0
	for at = 7, #ARGV, OF_POST do
		put(at, now)
		came = came + 1
	end
	bound(tonumber(ARGV[5]), ARGV[6], came)
	keep(ARGV[4])
	return 1
end

function todo.move()
	local there = call('HGET', posts, ARGV[4])
	if not there then
		return 0
	end
	local r = row(there)
	r[STATE], r[SINCE] = ARGV[5], text(clock_seen())
	r[QUEUE_ID] = ARGV[7] == '' and r[QUEUE_ID] or ARGV[7]
	call('HSET', posts, ARGV[4], pack(r))
	keep(ARGV[6])
	return 1
end

local function selects(r, at)
	return (ARGV[7] == '' or r[at + 1] == ARGV[7]) and (ARGV[8] == '' or r[at] == ARGV[8])
		and (ARGV[9] == '' or r[HOST] == ARGV[9])
		and (tonumber(r[ACCEPTED]) >= tonumber(ARGV[10]) or tonumber(r[SINCE]) >= tonumber(ARGV[10]))
end

-- A message's rows come in one page.
local function add_rows(rows, r)
	for at = LISTS, #r, OF_LIST do
		if selects(r, at) then
			local one = {}
			for i = 1, LISTS - 1 do
				one[i] = r[i]
			end
			one[LISTS], one[LISTS + 1], one[LISTS + 2] = r[at], r[at + 1], r[at + 2]
			rows[#rows + 1] = one
		end
	end
end

function todo.each()
	local ids, rows, last = { ARGV[6] }, {}, '0'
	if ARGV[6] == '' then
		ids = call('ZRANGEBYSCORE', posted, '(' .. ARGV[4], '+inf', 'LIMIT', 0, AT_ONCE)
	end
	for _, packed in ipairs(#ids > 0 and call('HMGET', posts, unpack(ids)) or {}) do
		local r = packed and row(packed)
		if r and #rows < tonumber(ARGV[5]) then
			add_rows(rows, r)
			last = r[2]
		end
	end
	local more = ARGV[6] == '' and (#ids == AT_ONCE or #rows >= tonumber(ARGV[5]))
	return { more and last or '0', rows }
end

function todo.tidy()
	local last = call('HGET', numbers, 'posted-swept') or '0'
	local ids, next_last = call('ZRANGEBYSCORE', posted, '(' .. last, '+inf', 'LIMIT', 0, 2 * AT_ONCE), '0'
	for _, id in ipairs(ids) do
		local there = call('HGET', posts, id)
		local r = there and row(there)
		local waits = r and (r[STATE] == ARGV[5] or r[STATE] == ARGV[7]) and tonumber(r[SINCE]) > tonumber(ARGV[6])
		next_last = #ids == 2 * AT_ONCE and r and r[2] or next_last
		if not r or (tonumber(r[ACCEPTED]) <= tonumber(ARGV[4]) and not waits) then
			drop(id)
		end
	end
	call('HSET', numbers, 'posted-swept', next_last)
	return 1
end

return todo[ARGV[3]]()
