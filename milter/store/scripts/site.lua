-- site.lua: the beginning of every script on what belongs to the whole installation: settings, directory, hosts, ledger,
-- events. Their keys share the hash tag {site}; rows are msgpack arrays whose first element is the format.
--
-- KEYS[1]  numbers: hash: clock, settings, directory, host, held, event (the last number given out), secret,
--          learned (proposals that are there),
--          format: of new rows
-- ARGV     1 now in ms, 0: the server's   2 not before this time   3 what to do   4... its arguments

-- Formats of rows: 2, the lists of a held message; 1, without them. This breakwater reads both, and writes the newest that every
-- daemon heard of in the last hour reads (hosts.lua): so hosts are upgraded one by one.
local NEWEST, OLDEST = 2, 1

local call, pack = redis.call, cmsgpack.pack
local numbers = KEYS[1]

local function number(name)
	return tonumber(call('HGET', numbers, name) or '0')
end

local function next_number(name)
	return call('HINCRBY', numbers, name, 1)
end

local function text(n)
	return string.format('%.0f', n)
end

-- The server's time is never before the last seen; given times are taken as they are.
local function clock()
	local seen = number('clock')
	local now = tonumber(ARGV[1])
	if now <= 0 then
		local time = call('TIME')
		now = math.max(time[1] * 1000 + math.floor(time[2] / 1000), tonumber(ARGV[2]), seen)
	end
	return now, seen
end

-- For scripts that write.
local function clock_seen()
	local now, seen = clock()
	if now > seen then
		call('HSET', numbers, 'clock', text(now))
	end
	return now
end

local function row(packed)
	local r = cmsgpack.unpack(packed)
	if type(r[1]) ~= 'number' or r[1] < OLDEST or r[1] > NEWEST then
		error('FORMAT ' .. tostring(r[1]) .. ' of a record, this breakwater reads ' .. OLDEST .. ' to ' .. NEWEST)
	end
	return r
end

local FORMAT = math.min(NEWEST, math.max(OLDEST, tonumber(call('HGET', numbers, 'format') or NEWEST)))

local todo = {}
