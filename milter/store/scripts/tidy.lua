-- tidy.lua (after site.lua): what is past in the whole installation's keys, for expire(). Bounded work.
--
-- KEYS   1 numbers   2 settings   3 temporary   4 hosts   5 held   6 order   7 events
-- ARGV   1 now   2 unused   3 cutoff: of hosts   4 cutoff: of history
-- reply  1

local settings, temporary, hosts, held, order, events = KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7]
local now, cutoff, history = clock_seen(), tonumber(ARGV[3]), tonumber(ARGV[4])
local AT_ONCE = 512

-- They counted as one change each (settings.lua), and do so now for good.
local gone = call('ZRANGEBYSCORE', temporary, '-inf', text(now), 'LIMIT', 0, AT_ONCE)
for _, name in ipairs(gone) do
	call('HDEL', settings, 't' .. name)
	call('ZREM', temporary, name)
end
if #gone > 0 then
	call('HINCRBY', numbers, 'settings', #gone)
end

for _, packed in ipairs(call('HVALS', hosts)) do
	local r = row(packed)
	if tonumber(r[3]) <= cutoff then
		call('HDEL', hosts, r[4])
	end
end

for _, packed in ipairs(call('ZRANGE', events, 0, AT_ONCE - 1)) do
	if tonumber(row(packed)[3]) <= history then
		call('ZREM', events, packed)
	end
end

-- The ledger goes on where it ended the last time; what waits stays.
local last = call('HGET', numbers, 'swept') or '0'
local ids = call('ZRANGEBYSCORE', order, '(' .. last, '+inf', 'LIMIT', 0, AT_ONCE)
local next_last = '0'
for _, id in ipairs(ids) do
	local packed = call('HGET', held, id)
	local r = packed and row(packed)
	next_last = #ids == AT_ONCE and r and r[2] or next_last
	if not r or (r[20] ~= '0' and r[23] ~= '1' and tonumber(r[21]) <= history) then
		call('HDEL', held, id)
		call('ZREM', order, id)
	end
end
call('HSET', numbers, 'swept', next_last)
return 1
