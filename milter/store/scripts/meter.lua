-- meter.lua: amounts added and summed by slot of time. No rule is known here: windows come as arguments and are not kept.
--
-- KEYS   PREFIX{mN}:METER:HASH, each once; at most 64, all of one slot N (redis-meter.c): hash, slot -> amount
-- ARGV   1 not before this time   2 length of a slot in ms; then of each key: now in ms, 0: the server's; amount; window
-- reply  a latest time, then of each key: its sum over the window

local call = redis.call
local slot_ms, latest, server = tonumber(ARGV[2]), 0, nil
local out = { 0 }

local function clock(given)
	if given > 0 then
		return given
	end
	if not server then
		local time = call('TIME')
		server = math.max(time[1] * 1000 + math.floor(time[2] / 1000), tonumber(ARGV[1]))
	end
	return server
end

local function text(n)
	return string.format('%.0f', n)
end

local function meter(key, now, amount, window)
	local last, first = math.floor(now / slot_ms), math.floor(math.max(0, now - window) / slot_ms)
	if amount > 0 then
		call('HINCRBY', key, text(last), text(amount))
		-- Two windows, so that a window that an operator widens finds what it needs; given times may lie in a far future.
		local left = server and 0 or math.max(0, now - clock(0))
		call('PEXPIRE', key, text(2 * window + slot_ms + left))
	end
	local total, past, rows = 0, math.floor(math.max(0, now - 2 * window) / slot_ms), call('HGETALL', key)
	for i = 1, #rows, 2 do
		local slot = tonumber(rows[i])
		if slot < past and amount > 0 then
			call('HDEL', key, rows[i])
		elseif slot >= first and slot <= last then
			total = total + tonumber(rows[i + 1])
		end
	end
	return total
end

for i = 1, #KEYS do
	local at = 3 * i
	local now = clock(tonumber(ARGV[at]))
	latest = math.max(latest, now)
	out[i + 1] = text(meter(KEYS[i], now, tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])))
end
out[1] = text(latest)
return out
