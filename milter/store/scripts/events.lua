-- events.lua (after site.lua): one line of history each.
--
-- KEYS   1 numbers   2 events: sorted set, row by number
-- ARGV   3 what to do:
--          add EVENT HOST LIST GUARD TEXT OWNER TTL CONVERSATION   reply: its number
--          each AFTER SINCE LIMIT                       reply: rows with later numbers, oldest first: {number looked at last,
--                                                       0: all; rows that happened since}
--          start SINCE LIMIT BEFORE                     reply: {rows counted, number of the oldest of them, number looked at
--                                                       last, 0: all}: the newest that happened since, below number BEFORE
--        row: number, at, event, host, list, guard, text, owner, conversation (rows of older versions have none)

local events = KEYS[2]
local AT_ONCE = 512
local KEPT = 200000
-- What a host joins after an outage stands behind what happened meanwhile; an outage is not longer than this.
local OUTAGE_MS = 86400000

function todo.add()
	local now, n = clock_seen(), next_number('event')
	call('ZADD', events, n, pack({ FORMAT, text(n), text(now), ARGV[4], ARGV[5], ARGV[6], ARGV[7], ARGV[8], ARGV[9], ARGV[11] }))
	call('ZREMRANGEBYRANK', events, 0, -KEPT - 1)
	call('PEXPIRE', events, ARGV[10])
	return n
end

function todo.each()
	local found, rows, last = call('ZRANGEBYSCORE', events, '(' .. ARGV[4], '+inf', 'LIMIT', 0, AT_ONCE), {}, '0'
	for _, packed in ipairs(found) do
		local r = row(packed)
		if #rows < tonumber(ARGV[6]) then
			r[10] = r[10] or ''
			rows[#rows + 1] = tonumber(r[3]) >= tonumber(ARGV[5]) and r or nil
			last = r[2]
		end
	end
	local more = #found == AT_ONCE or #rows == tonumber(ARGV[6])
	return { more and last or '0', rows }
end

function todo.start()
	local found = call('ZREVRANGEBYSCORE', events, '(' .. ARGV[6], '-inf', 'LIMIT', 0, AT_ONCE)
	local n, oldest, last, near = 0, '0', '0', false
	for _, packed in ipairs(found) do
		local r = row(packed)
		if n < tonumber(ARGV[5]) then
			local since = tonumber(r[3]) >= tonumber(ARGV[4])
			near = near or tonumber(r[3]) >= tonumber(ARGV[4]) - OUTAGE_MS
			n, oldest, last = since and n + 1 or n, since and r[2] or oldest, r[2]
		end
	end
	return { n, oldest, near and #found == AT_ONCE and last or '0' }
end

return todo[ARGV[3]]()
