-- sweep.lua (after list.lua, list-rare.lua and sweep-list.lua): one list, for expire().
--
-- KEYS   as list.lua says
-- ARGV   1 now   2 cutoff: what happened then or before is past   3 entries at most
-- reply  1: the list is there; 0: nothing is known of it (any more)

if not get('l') then
	return 0
end
local cutoff = tonumber(ARGV[2])
local s = sweeper(tonumber(ARGV[1]), cutoff, tonumber(ARGV[3]))
s.breakers()
s.garbage()
s.tallies()
write()
-- Only the two '' are left, and nobody has counted here for the memory.
list_load('')
if list.clock <= cutoff and call('ZCARD', index) <= 1 and call('ZCARD', garbage) <= 1 then
	call('DEL', records, index, garbage)
	return 0
end
return 1
