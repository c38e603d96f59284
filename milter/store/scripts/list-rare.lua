-- list-rare.lua (after list.lua): what most calls do not need. Its functions are made when rare() is called first.

local rare_made

function rare()
	local r = rare_made
	if r then
		return r
	end
	r = {}
	rare_made = r

	function r.drop(field)
		gone[#gone + 1] = field
		read[field] = false
	end

	function r.range(prefix, low, high, limit)
		return call('ZRANGEBYLEX', index, '[' .. prefix .. bytes(max(0, low)), '(' .. prefix .. bytes(max(0, high)), 'LIMIT', 0, limit)
	end

	-- Parentheses: struct.unpack() answers the next position, too.
	function r.time_of(row)
		return (take('>I6', row, 8))
	end

	-- --- attempts and replies ---

	-- Undoes an attempt made at `at`, before which the sender stood at `before` (0: not at all).
	function r.attempt_give_back(t, sender, at, before)
		local last, standing = standing_of(t, sender)
		if standing == 0 then
			return
		end
		-- The sender's other attempts stay, at their own time unless a later one has moved the entry on.
		local back = standing > 1 and ((last == at and before ~= 0) and before or last) or 0
		if back ~= last then
			remove_row('a' .. t.key .. bytes(last) .. sender)
		end
		if back == 0 then
			r.drop('a' .. t.key .. sender)
			t.attempts = t.attempts - 1
			return
		end
		if back ~= last then
			add_row('a' .. t.key .. bytes(back) .. sender)
			t.oldest = min(t.oldest, back)
		end
		set('a' .. t.key .. sender, pack(STANDING, FORMAT, back, standing - 1))
	end

	function r.reply_take(t, message, at)
		local row = 'r' .. t.key .. bytes(at) .. message
		if call('ZSCORE', index, row) then
			remove_row(row)
			t.replies = t.replies - 1
		end
	end

	-- Counts are exact up to the cap; above it the oldest make room, so a tally has an end. True: it changed.
	function r.trim(t)
		local was = t.attempts + t.replies
		while t.attempts > CAP do
			local oldest, fields = r.range('a' .. t.key, 0, LAST_TIME, min(t.attempts - CAP, AT_ONCE)), {}
			for i, row in ipairs(oldest) do
				fields[i] = 'a' .. t.key .. row:sub(14)
				read[fields[i]] = nil
			end
			send('ZREM', index, oldest)
			send('HDEL', records, fields)
			t.attempts = #oldest > 0 and t.attempts - #oldest or CAP
		end
		while t.replies > CAP do
			local oldest = r.range('r' .. t.key, 0, LAST_TIME, min(t.replies - CAP, AT_ONCE))
			send('ZREM', index, oldest)
			t.replies = #oldest > 0 and t.replies - #oldest or CAP
		end
		return was ~= t.attempts + t.replies
	end

	-- --- deliveries ---

	-- A message's deliveries that stand at one time: the row of the index.
	function r.delivery_find(t, at, message)
		local key = bytes(at) .. message
		if t.found and t.found[key] ~= nil then
			return t.found[key]
		end
		local prefix = 'd' .. t.key .. key
		return call('ZRANGEBYLEX', index, '[' .. prefix, '[' .. prefix .. '\255\255\255\255\255\255\255\255', 'LIMIT', 0, 1)[1]
	end

	-- `row` is changed to n (0: it goes); tally_store() writes what has become of it.
	local function delivery_change(t, at, message, row, n)
		local have, key = row and row_n(row) or 0, bytes(at) .. message
		t.found, t.was = t.found or {}, t.was or {}
		if t.was[key] == nil then
			t.was[key] = row or false
		end
		t.found[key] = n > 0 and delivery_row(t, at, message, n)
		if at > t.edge then
			t.sum = t.sum + n - have
		end
		t.posted = t.posted or {}
		t.posted[#t.posted + 1] = at
		t.posted[#t.posted + 1] = n - have
	end

	function r.deliveries_store(t)
		for key, row in pairs(t.found) do
			if row ~= t.was[key] and t.was[key] then
				remove_row(t.was[key])
			end
			if row ~= t.was[key] and row then
				add_row(row)
			end
		end
		t.found, t.was = nil, nil
	end

	function r.delivery_add(t, at, message, n)
		if n > 0 then
			local row = r.delivery_find(t, at, message)
			delivery_change(t, at, message, row, n + (row and row_n(row) or 0))
		end
	end

	-- Undoes an acceptance.
	function r.take_back(m, o, t, c)
		if o.live == 0 then
			return
		end
		local row = o.deliveries > 0 and r.delivery_find(t, o.at, m.hash)
		if row then
			delivery_change(t, o.at, m.hash, row, max(0, row_n(row) - o.deliveries))
		end
		o.live, o.accepted, o.deliveries = 0, o.prior, 0
		if o.accepted ~= 0 or m.accepted == 0 then
			return
		end
		m.accepted = m.accepted - 1
		if m.accepted == 0 then
			m.post = 0
			if c then
				c.accepted = max(0, c.accepted - 1)
			end
		end
	end

	-- --- breakers ---

	local function rank(b)
		if b[B_OVERRIDE] == FORCED_OPEN then
			return 3
		elseif b[B_OVERRIDE] == DISABLED then
			return 0
		elseif b[B_PHASE] == OPEN then
			return 2
		end
		return b[B_PHASE] == HALF_OPEN and 1 or 0
	end

	-- bw_store_less_closed()
	function r.less_closed(a, b)
		local ra, rb = a and rank(a) or 0, b and rank(b) or 0
		if ra ~= rb or ra == 0 then
			return ra > rb
		end
		local till = ra == 3 and B_OVERRIDE_UNTIL or B_UNTIL
		return tonumber(a[till]) > tonumber(b[till])
	end

	function r.breaker_put(t, b)
		t.breaker = b
		set('b' .. t.key, cmsgpack.pack(b))
		add_row('b' .. t.key)
		list.till = max(list.till, min(LAST_TIME, max(tonumber(b[B_UNTIL]), tonumber(b[B_OVERRIDE_UNTIL]))))
		list.renew = true
	end

	function r.breaker_drop(t)
		r.drop('b' .. t.key)
		remove_row('b' .. t.key)
		t.breaker = false
	end

	-- --- replies that were redirected ---

	-- Of a conversation; behind its id any byte may follow.
	function r.redirected_range(c)
		return '[q' .. bytes(c.id), '(q' .. bytes(c.id + 1)
	end

	function r.redirected(c)
		return call('ZRANGEBYLEX', index, r.redirected_range(c))
	end

	-- --- conversations by their public id ---

	r.roots = { 'i', 't', 'o' } -- classes of keys that a conversation can be named after

	function r.conversation_find(hash)
		if hash == NO_HASH then
			return false
		end
		local fields = {}
		for i, class in ipairs(r.roots) do
			fields[i] = 'k' .. class .. public_id(hash, class)
		end
		fetch(fields)
		for _, class in ipairs(r.roots) do
			local c = conversation_load(key_find(class .. public_id(hash, class)))
			if c then
				return c
			end
		end
		return false
	end

	-- The same; if there is none it is made anew, as one that went out: its replies will find it by its root.
	function r.conversation_revive(hash, now)
		local c = r.conversation_find(hash)
		if c or hash == NO_HASH then
			return c
		end
		c = conversation_found(hash, now, 1, '')
		conversation_write(c, now)
		-- Which kind its root's key is, nobody says.
		for _, class in ipairs(r.roots) do
			key_put(class .. public_id(hash, class), c, now)
		end
		return c
	end

	return r
end
