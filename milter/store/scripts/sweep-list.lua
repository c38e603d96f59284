-- sweep-list.lua (after list.lua and list-rare.lua): takes away what is past. Times decide what counts, this only keeps the keys
-- small. Looks at no more than `budget` entries of the garbage, and removes no more rows of a kind of a tally than that.

local function sweeper(now, cutoff, budget)
	local r, s = rare(), { again = {} } -- again: fields that stay -> when to look at them again

	local function is_past(b, last)
		if b[B_OVERRIDE] ~= '0' and tonumber(b[B_OVERRIDE_UNTIL]) > now then
			return false
		end
		-- Without an attempt for so long it would have closed long ago.
		return tonumber(b[B_UNTIL]) <= cutoff and tonumber(b[B_SINCE]) <= cutoff and last <= cutoff
	end

	-- Breakers of all tallies of the list, of conversations that live on as well. For expire() alone.
	function s.breakers()
		for _, row in ipairs(call('ZRANGEBYLEX', index, '[b', '(c', 'LIMIT', 0, budget)) do
			local t = tally_load(row:sub(2))
			if t.breaker and is_past(t.breaker, t.last) then
				r.breaker_drop(t)
			end
		end
	end

	-- Removes rows up to the cutoff; how many.
	local function rows(prefix)
		local past = r.range(prefix, 0, cutoff + 1, budget)
		send('ZREM', index, past)
		return past
	end

	-- Attempts, replies and deliveries of a tally that are past. True: all of them are gone.
	local function tally(t)
		local attempts, replies, deliveries, fields = rows('a' .. t.key), rows('r' .. t.key), rows('d' .. t.key), {}
		for i, row in ipairs(attempts) do
			fields[i] = 'a' .. t.key .. row:sub(14)
			read[fields[i]] = nil
		end
		send('HDEL', records, fields)
		-- A sum that still counted what is gone now starts anew.
		if #deliveries > 0 and t.edge < cutoff then
			t.edge, t.sum = LAST_TIME, 0
		end
		if #attempts + #replies + #deliveries > 0 then
			t.attempts, t.replies = t.attempts - #attempts, t.replies - #replies
			tally_store(t)
		end
		return #attempts < budget and #replies < budget and #deliveries < budget
	end

	function s.tallies()
		tally(tally_load(bytes(0)))
		tally(tally_load(bytes(1)))
	end

	local function root_field(class, c)
		return 'k' .. class .. public_id(c.hash, class)
	end

	local function is_root(field, c)
		local class = field:sub(2, 2)
		return class ~= 's' and field == root_field(class, c)
	end

	local function drop_conversation(c)
		for _, class in ipairs(r.roots) do
			local field = root_field(class, c)
			if key_find(field:sub(2)) == c.id then
				r.drop(field)
				call('ZREM', garbage, field)
				s.again[field] = nil
			end
		end
		send('ZREM', index, r.redirected(c))
		conversations[c.id] = false
	end

	-- A conversation that is past, with its tallies. Answers when to look again, nil: nothing of it stays.
	local function conversation(c)
		local again
		for id = 2 * c.id, 2 * c.id + 1 do
			local t = tally_load(bytes(id))
			if not tally(t) then
				again = cutoff
			elseif t.breaker then
				-- s.breakers() decides about it.
				again = max(again or 0, min(now, max(tonumber(t.breaker[B_UNTIL]), tonumber(t.breaker[B_SINCE]), cutoff + 1)))
			elseif t.known then
				r.drop('t' .. t.key)
			end
		end
		if not again then
			drop_conversation(c)
		end
		return again
	end

	-- When something of a conversation that lives on will be past.
	local function next_of(c)
		local at = c.last
		for id = 2 * c.id, 2 * c.id + 1 do
			for _, kind in ipairs({ 'a', 'r' }) do
				local first = r.range(kind .. bytes(id), 0, LAST_TIME, 1)[1]
				at = min(at, first and r.time_of(first) or at)
			end
		end
		return at
	end

	-- Each answers when to look again, nil: it is gone.
	local looks = {}

	function looks.m(field)
		local text = get(field)
		local seen = text and take('>I6', text, 8) or 0
		return seen > cutoff and seen or nil
	end

	function looks.p(field)
		local text = get(field)
		local seen = text and take('>I6', text, 2) or 0
		return seen > cutoff and seen or nil
	end

	-- Nobody joins what is past; while it stands, its breaker is found by the root's key, which goes with it.
	function looks.k(field)
		local first = conversation_read(key_find(field:sub(2)))
		local c = first and conversation_load(first.id)
		if c and c.last > cutoff then
			return c.last
		end
		return c and is_root(field, first) and now or nil
	end

	function looks.c(field)
		local c = conversation_read((take('>I6', field, 2)))
		local last = c and conversation_load(c.id)
		if c and not last then
			drop_conversation(c)
		elseif c and c.into ~= 0 then
			return max(last.last, cutoff + 1)
		elseif c and c.last > cutoff then
			-- It goes on; who began it is readable no longer than the memory.
			if c.founded <= cutoff and c.root ~= '' then
				c.root = ''
				conversation_write(c)
			end
			tally(tally_load(bytes(2 * c.id)))
			tally(tally_load(bytes(2 * c.id + 1)))
			return next_of(c)
		elseif c then
			return conversation(c)
		end
	end

	function s.garbage()
		local fields = call('ZRANGEBYSCORE', garbage, '-inf', cutoff, 'LIMIT', 0, budget)
		fetch(fields)
		for _, field in ipairs(fields) do
			s.again[field] = looks[field:sub(1, 1)](field)
			if not s.again[field] then
				r.drop(field)
				call('ZREM', garbage, field)
			end
		end
		for field, at in pairs(s.again) do
			times[#times + 1] = at
			times[#times + 1] = field
		end
		return #fields
	end

	return s
end
