-- settings.lua (after site.lua): lasting values, temporary ones before them, and the history of every change.
--
-- KEYS   1 numbers   2 settings: hash, p NAME: lasting, t NAME: temporary   3 temporary: sorted set, NAME by its end
--        4 history: list, oldest first
-- ARGV   3 what to do:
--          put NAME VALUE OWNER REASON UNTIL   reply: version now; -1: it ends before it begins
--          each                                reply: rows in force, oldest change first
--          history FIRST LAST                  reply: rows by index
--          versions                            reply: version of the settings, of the directory, now
--          now                                 reply: now
--          saw                                 the clock of the installation is not before now; reply: now
--        row: name, value, owner, reason, set, until, version

local settings, temporary, history = KEYS[2], KEYS[3], KEYS[4]

-- An expired value counts as one more change, so that whoever polls the version notices; nobody need write for that.
local function expired(now)
	return call('ZCOUNT', temporary, '-inf', text(now))
end

-- What a change replaces: the temporary value, and for a lasting change the lasting one. Expired ones that go were changes
-- of their own.
local function replace(name, lasting, now)
	local before = expired(now)
	call('HDEL', settings, 't' .. name)
	call('ZREM', temporary, name)
	if lasting then
		call('HDEL', settings, 'p' .. name)
	end
	return before - expired(now)
end

function todo.put()
	local name, value, owner, reason, till = ARGV[4], ARGV[5], ARGV[6], ARGV[7], ARGV[8]
	local lasting = till == '0'
	if not lasting and tonumber(till) <= clock() then
		return -1
	end
	local now = clock_seen()
	local version = number('settings') + replace(name, lasting, now) + 1
	local packed = pack({ FORMAT, name, value, owner, reason, text(now), till, text(version) })
	call('HSET', numbers, 'settings', text(version))
	-- A lasting unset needs no row; a temporary one hides the lasting value.
	if not lasting then
		call('HSET', settings, 't' .. name, packed)
		call('ZADD', temporary, till, name)
	elseif value ~= '' then
		call('HSET', settings, 'p' .. name, packed)
	end
	call('RPUSH', history, packed)
	return version + expired(now)
end

function todo.each()
	local all, now, rows = {}, clock(), {}
	local pairs_ = call('HGETALL', settings)
	for i = 1, #pairs_, 2 do
		all[pairs_[i]] = row(pairs_[i + 1])
	end
	for field, r in pairs(all) do
		local hidden = all['t' .. r[2]]
		local lasts = field:sub(1, 1) == 'p'
		if lasts and not (hidden and tonumber(hidden[7]) > now) or not lasts and tonumber(r[7]) > now then
			rows[#rows + 1] = r[3] ~= '' and r or nil
		end
	end
	table.sort(rows, function(a, b) return tonumber(a[8]) < tonumber(b[8]) end)
	return rows
end

function todo.history()
	local rows = {}
	for i, packed in ipairs(call('LRANGE', history, ARGV[4], ARGV[5])) do
		rows[i] = row(packed)
	end
	return rows
end

function todo.versions()
	local now = clock()
	return { number('settings') + expired(now), number('directory'), now }
end

todo.now = clock
todo.saw = clock_seen

return (todo[ARGV[3]]())
