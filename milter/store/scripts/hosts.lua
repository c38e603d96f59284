-- hosts.lua (after site.lua): the heartbeat of every daemon that works on this store.
--
-- KEYS   1 numbers   2 hosts: hash, HOST -> row
-- ARGV   3 what to do:
--          beat HOST VERSION PID SETTINGS DIRECTORY FORMAT DEGRADED DELIVERIES HELD ACCEPTED STARTED TTL   reply: now
--          each SINCE   reply: rows of who was seen then or later, in the order of their first heartbeat
--        row: number, seen, host, version, pid, versions of settings and directory, format, degraded, deliveries, held,
--        accepted, started

local hosts = KEYS[2]

local HEARD_MS = 3600000

-- The newest format that everybody reads who was heard of lately; what an old daemon could not read is not written.
local function agree(now)
	local least = NEWEST
	for _, packed in ipairs(call('HVALS', hosts)) do
		local r = row(packed)
		if tonumber(r[3]) > now - HEARD_MS then
			least = math.min(least, tonumber(r[9]))
		end
	end
	call('HSET', numbers, 'format', text(least))
end

function todo.beat()
	local there = call('HGET', hosts, ARGV[4])
	local now, n = clock_seen(), there and row(there)[2] or text(next_number('host'))
	local r = { FORMAT, n, text(now) }
	for i = 4, 14 do
		r[#r + 1] = ARGV[i]
	end
	call('HSET', hosts, ARGV[4], pack(r))
	call('PEXPIRE', hosts, ARGV[15])
	agree(now)
	return now
end

function todo.each()
	local rows = {}
	for _, packed in ipairs(call('HVALS', hosts)) do
		local r = row(packed)
		rows[#rows + 1] = tonumber(r[3]) >= tonumber(ARGV[4]) and r or nil
	end
	table.sort(rows, function(a, b) return tonumber(a[2]) < tonumber(b[2]) end)
	return rows
end

return todo[ARGV[3]]()
