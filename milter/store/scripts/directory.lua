-- directory.lua (after site.lua): one row an address, each change with a version of its own. A removed list keeps its row, so
-- that readers of changes learn of it.
--
-- KEYS   1 numbers   2 directory: hash, ADDRESS -> row   3 versions: sorted set, ADDRESS by version
-- ARGV   3 what to do:
--          put ADDRESS OWNER LIST-ID POSTERS SIZE SOURCE UNCONFIRMED REMOVED   reply: its version
--          each SINCE LIMIT                                                   reply: rows of later versions, in their order
--        row: version, address, owner, list id, posters, size, source, unconfirmed, removed, changed

local directory, versions = KEYS[2], KEYS[3]

function todo.put()
	local now, version, address = clock_seen(), next_number('directory'), ARGV[4]
	call('HSET', directory, address, pack({ FORMAT, text(version), address, ARGV[5], ARGV[6], ARGV[7], ARGV[8], ARGV[9], ARGV[10],
		ARGV[11], text(now) }))
	call('ZADD', versions, version, address)
	return version
end

function todo.each()
	local addresses, rows = call('ZRANGEBYSCORE', versions, '(' .. ARGV[4], '+inf', 'LIMIT', 0, ARGV[5]), {}
	if #addresses > 0 then
		for i, packed in ipairs(call('HMGET', directory, unpack(addresses))) do
			rows[i] = row(packed)
		end
	end
	return rows
end

return todo[ARGV[3]]()
