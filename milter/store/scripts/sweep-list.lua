-- sweep-list.lua (after list.lua): takes away what is past. Times decide what counts, this only keeps the keys small.
-- Bounded: looks at no more than `budget` entries of the garbage, and removes no more rows of a kind than that.

local function is_past_breaker(b, last, now, cutoff)
	if b[B_OVERRIDE] ~= '0' and tonumber(b[B_OVERRIDE_UNTIL]) > now then
		return false
	end
	-- Without an attempt for so long it would have closed long ago.
	return tonumber(b[B_UNTIL]) <= cutoff and tonumber(b[B_SINCE]) <= cutoff and last <= cutoff
end

-- Removes rows up to the cutoff; false: some are left.
local function sweep_rows(prefix, cutoff, budget)
	local past = range(prefix, 0, cutoff + 1, budget)
	send('ZREM', index, past)
	return #past < budget, #past
end

-- False: its breaker is not past.
local function sweep_breaker(t, now, cutoff)
	if t.breaker and not is_past_breaker(t.breaker, t.last, now, cutoff) then
		return false
	end
	if t.breaker then
		drop('b' .. t.key)
		rows['b' .. t.key] = false
		t.breaker = nil
	end
	return true
end

-- A conversation without merges that is past, with its tallies. False: something of it stays.
local function sweep_conversation(c, now, cutoff, budget)
	local stays = false
	for id = 2 * c.id, 2 * c.id + 1 do
		local t = tally_load(id)
		if not sweep_rows('r' .. t.key, cutoff, budget) or not sweep_breaker(t, now, cutoff) then
			stays = true
		elseif t.known then
			drop('t' .. t.key)
		end
	end
	return not stays
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
		return c and max(c.last, cutoff + 1) or nil
	end,
	c = function(field, now, cutoff, budget)
		local c = conversation_read(struct.unpack('>I6', field, 2))
		local last = c and (c.into == 0 and c or conversation_load(c.into))
		if not last then
			return nil
		elseif c.into ~= 0 then
			return max(last.last, cutoff + 1)
		elseif c.last > cutoff then
			for id = 2 * c.id, 2 * c.id + 1 do
				sweep_rows('r' .. bytes(id), cutoff, budget)
			end
			return c.last
		elseif not sweep_conversation(c, now, cutoff, budget) then
			return now
		end
		conversations[c.id] = false
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
		sweep_breaker(t, now, cutoff)
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
