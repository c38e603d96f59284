-- directory.lua (after site.lua): one row an address and source, each change with a version of its own. A removed list keeps its
-- row, so that readers of changes learn of it.
--
-- KEYS   1 numbers   2 directory: hash, NAME -> row   3 versions: sorted set, NAME by version
--        4 next: list, rows on their way in: the token of who brings them, then packed rows
--        NAME: the address; of other sources than the operator NUL and the source's number behind it
-- ARGV   3 what to do:
--          put ROW                                 reply: its version
--          stage TOKEN FIRST ROW...                nothing is in force before commit; FIRST 1 begins anew
--                                                  reply: how many are there with the token, -1: somebody else began meanwhile
--          commit TOKEN                            reply: the last version, -1: somebody else began meanwhile
--          learn MOST ROW...                       proposals; reply of each: 0 there is one as large, 1 written, 2 there are MOST
--          each SINCE LIMIT                        reply: rows of later versions, in their order
--        ROW: nine arguments: address, owner, list id, posters, size, source, unconfirmed, removed, origin
--        row: version, address, owner, list id, posters, size, source, unconfirmed, removed, changed, origin

local directory, versions, coming = KEYS[2], KEYS[3], KEYS[4]
local COMING_MS, AT_ONCE = 600000, 500

local LEARNED = '2'

local function name_of(r)
	return r[6] == '0' and r[1] or r[1] .. '\0' .. r[6]
end

-- The size that stands under a name; nil: none, or it was removed.
local function size_of(name)
	local packed = call('HGET', directory, name)
	local old = packed and row(packed)
	return old and old[10] == '0' and tonumber(old[7]) or nil
end

local function write(r, version, now)
	local name = name_of(r)
	if r[6] == LEARNED then
		call('HINCRBY', numbers, 'learned', (r[8] == '0' and 1 or 0) - (size_of(name) and 1 or 0))
	end
	call('HSET', directory, name, pack({ FORMAT, text(version), r[1], r[2], r[3], r[4], r[5], r[6], r[7], r[8], text(now), r[9] }))
	call('ZADD', versions, text(version), name)
end

local function argument_row(at)
	return { unpack(ARGV, at, at + 8) }
end

function todo.put()
	local now, version = clock_seen(), next_number('directory')
	write(argument_row(4), version, now)
	return version
end

local function is_ours()
	return call('LRANGE', coming, 0, 0)[1] == ARGV[4]
end

function todo.stage()
	if ARGV[5] == '1' then
		call('DEL', coming)
		call('RPUSH', coming, ARGV[4])
	elseif not is_ours() then
		return -1
	end
	local n = 1
	for at = 6, #ARGV, 9 do
		n = call('RPUSH', coming, pack(argument_row(at)))
	end
	call('PEXPIRE', coming, COMING_MS)
	return n
end

function todo.commit()
	if not is_ours() then
		return -1
	end
	local now, version, at = clock_seen(), number('directory'), 1
	repeat
		local rows = call('LRANGE', coming, at, at + AT_ONCE - 1)
		for _, packed in ipairs(rows) do
			version = version + 1
			write(cmsgpack.unpack(packed), version, now)
		end
		at = at + #rows
	until #rows < AT_ONCE
	call('HSET', numbers, 'directory', text(version))
	call('DEL', coming)
	return version
end

function todo.learn()
	local now, most, version, out = clock_seen(), tonumber(ARGV[4]), number('directory'), {}
	for at = 5, #ARGV, 9 do
		local r = argument_row(at)
		local size = size_of(name_of(r))
		local answer = 1
		if size and size >= tonumber(r[5]) then
			answer = 0
		elseif not size and number('learned') >= most then
			answer = 2
		else
			version = version + 1
			write(r, version, now)
		end
		out[#out + 1] = text(answer)
	end
	call('HSET', numbers, 'directory', text(version))
	return out
end

function todo.each()
	local names, rows = call('ZRANGEBYSCORE', versions, '(' .. ARGV[4], '+inf', 'LIMIT', 0, ARGV[5]), {}
	if #names > 0 then
		for i, packed in ipairs(call('HMGET', directory, unpack(names))) do
			rows[i] = row(packed)
		end
	end
	return rows
end

return todo[ARGV[3]]()
