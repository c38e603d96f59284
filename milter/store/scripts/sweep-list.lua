-- sweep-list.lua (after list.lua): takes away what is past. Times decide what counts, this only keeps the keys small.
-- Bounded: looks at no more than `budget` entries of the garbage, and removes no more rows of a kind than that.

local function is_past_breaker(b, last, now, cutoff)
	if b[B_OVERRIDE] ~= '0' and tonumber(b[B_OVERRIDE_UNTIL]) > now then
		return false
	end
	-- Without an attempt for so long it would have closed long ago.
	return tonumber(b[B_UNTIL]) <= cutoff and tonumber(b[B_SINCE]) <= cutoff and last <= cutoff
end

-- Breakers of all tallies of the list, of conversations that live on as well.
local function sweep_breakers(now, cutoff, budget)
	for _, row in ipairs(call('ZRANGEBYLEX', index, '[b', '(c', 'LIMIT', 0, budget)) do
		local t = tally_load(struct.unpack('>I6', row, 2))
		if t.breaker and is_past_breaker(t.breaker, t.last, now, cutoff) then
			drop('b' .. t.key)
			rows[row] = false
		end
	end
end

-- Removes rows up to the cutoff; false: some are left.
local function sweep_rows(prefix, cutoff, budget)
	local past = range(prefix, 0, cutoff + 1, budget)
	send('ZREM', index, past)
	return #past < budget, #past
end

-- A conversation without merges that is past, with its tallies. Answers when to look again, nil: nothing of it stays.
local function sweep_conversation(c, now, cutoff, budget)
	local again
	for id = 2 * c.id, 2 * c.id + 1 do
		local t = tally_load(id)
		if not sweep_rows('r' .. t.key, cutoff, budget) then
			again = cutoff
		elseif t.breaker then
			-- sweep_breakers() decides about it, in expire().
			again = max(again or 0, min(now, max(tonumber(t.breaker[B_UNTIL]), tonumber(t.breaker[B_SINCE]), cutoff + 1)))
		elseif t.known then
			drop('t' .. t.key)
		end
	end
	return again
end

local function root_field(class, c)
	return 'k' .. class .. public_id(c.hash, class)
end

local function is_root(field, c)
	local class = field:sub(2, 2)
	return CLASS_NUMBERS[class] ~= nil and field == root_field(class, c)
end

local function drop_conversation(c)
	for _, class in ipairs(ROOTS) do
		local field = root_field(class, c)
		local r = get(field)
		if r and r[2] == c.id then
			drop(field)
			waste[field] = nil
			call('ZREM', garbage, field)
		end
	end
	conversations[c.id] = false
	return nil
end

-- Each answers when to look again, or nil: it is gone. What stays is looked at again when the memory is over once more.
local sweepers = {
	a = function(field, now, cutoff)
		local r = get(field)
		if r and r[2] > cutoff then
			return r[2]
		end
		if r then
			rows[field:sub(1, 7) .. bytes(r[2]) .. field:sub(8)] = false
		end
	end,
	m = function(field, now, cutoff)
		local r = get(field)
		return r and r[3] > cutoff and r[3] or nil
	end,
	p = function(field, now, cutoff)
		local r = get(field)
		return r and r[2] > cutoff and r[2] or nil
	end,
	k = function(field, now, cutoff)
		local r = get(field)
		local c = r and conversation_load(r[2])
		if c and c.last > cutoff then
			return c.last
		end
		-- Nobody joins what is past; while it stands, its breaker is found by the root's key, which goes with it.
		return c and is_root(field, conversation_read(r[2])) and now or nil
	end,
	c = function(field, now, cutoff, budget)
		local c = conversation_read(struct.unpack('>I6', field, 2))
		local last = c and (c.into == 0 and c or conversation_load(c.into))
		if not last then
			return c and drop_conversation(c)
		elseif c.into ~= 0 then
			return max(last.last, cutoff + 1)
		elseif c.last > cutoff then
			for id = 2 * c.id, 2 * c.id + 1 do
				sweep_rows('r' .. bytes(id), cutoff, budget)
			end
			return c.last
		end
		return sweep_conversation(c, now, cutoff, budget) or drop_conversation(c)
	end,
}

local function sweep_list(now, cutoff, budget)
	for id = 0, 1 do
		local t = tally_load(id)
		local _, n = sweep_rows('d' .. t.key, cutoff, budget)
		-- A sum that still counted what is gone now starts anew.
		if n > 0 and t.edge < cutoff then
			t.edge, t.sum, t.changed = LAST_TIME, 0, true
		end
		tally_store(t)
	end
end

local function sweep(now, cutoff, budget)
	local fields = call('ZRANGEBYSCORE', garbage, '-inf', string.format('%.0f', cutoff), 'LIMIT', 0, budget)
	if #fields == 0 then
		return
	end
	fetch(fields)
	for _, field in ipairs(fields) do
		local at = sweepers[field:sub(1, 1)](field, now, cutoff, budget)
		if not at then
			drop(field)
		end
		waste[field] = at
		if not at then
			call('ZREM', garbage, field)
		end
	end
	sweep_list(now, cutoff, budget)
	write()
end
