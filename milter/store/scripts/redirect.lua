-- redirect.lua (after list.lua and list-rare.lua): a stopped reply that is to go to one person. Counts it among those of its conversation
-- while there is room.
--
-- KEYS   as list.lua says
-- ARGV   1 now in ms, 0: the server's   2 not before this time   3 list   4 conversation   5 message   6 at most so many
--        7 memory   8 gives back: 0, 1
-- reply  now; its ordinal, 0: there is no such conversation; 1: it was counted before; the root's sender, as list.lua says

local r = rare()
list_load(ARGV[3])
local now = clock(tonumber(ARGV[1]), tonumber(ARGV[2]))
local memory = tonumber(ARGV[7])
local c = r.conversation_find(ARGV[4])

if not c or now - c.last >= memory then
	return { now, 0, 0, '' }
end

local row = 'q' .. bytes(c.id) .. ARGV[5]
local limit = tonumber(ARGV[6])
local again = call('ZSCORE', index, row) and 1 or 0
local counted = call('ZLEXCOUNT', index, r.redirected_range(c))
local ordinal = again == 1 and min(counted, limit) or counted + 1

if ARGV[8] == '1' then
	if again == 1 then
		remove_row(row)
	end
elseif again == 0 and ordinal <= limit then
	add_row(row)
end
flush(now)
return { now, ordinal, again, now - c.founded < memory and c.root or '' }
