#!lua name=smartcart_journal_2
-- The journal's rules where they cannot be raced: each call is one step. A pod's keys share a hash tag, its incarnation.
--   state   a hash: `sealed`; for each lane `last:N`, the last entry's sequence, and `base:N`, how far it was trimmed
--   stream  one for each lane; an entry's id is its sequence, its one field the framed record
-- The library's name is its version: one that differs in what it does has another name.

local SEALED, CONFLICT = -2, -1

local function known(state, lane)
  local found = redis.call('HMGET', state, 'sealed', 'last:' .. lane, 'base:' .. lane)
  return found[1], tonumber(found[2] or '0'), tonumber(found[3] or '0')
end

local function id(sequence)
  return string.format('%.0f-0', sequence)
end

-- 0: it is there. Another positive number: the sequence that is expected.
local function append(keys, args)
  local sealed, last = known(keys[1], args[1])
  if sealed then return SEALED end
  local sequence = tonumber(args[2])
  if sequence == last + 1 then
    redis.call('XADD', keys[2], id(sequence), 'b', args[3])
    redis.call('HSET', keys[1], 'last:' .. args[1], args[2])
    return 0
  end
  local there = redis.call('XRANGE', keys[2], id(sequence), id(sequence))
  if #there == 0 then return last + 1 end
  if there[1][2][2] ~= args[3] then return CONFLICT end
  -- Written once more, as it is: whoever waits for replicas waits for what this connection has written.
  redis.call('HSET', keys[1], 'last:' .. args[1], string.format('%.0f', last))
  return 0
end

local function cut(keys, lane, base, through)
  if through > base then
    redis.call('XTRIM', keys[2], 'MINID', id(through + 1))
    redis.call('HSET', keys[1], 'base:' .. lane, string.format('%.0f', through))
  end
end

local function trim(keys, args)
  local _, last, base = known(keys[1], args[1])
  cut(keys, args[1], base, math.min(last, tonumber(args[2])))
  return 0
end

-- The tables have everything up to `through`: this server need not, and may never have had it. Numbers go on after it.
local function begin_after(keys, args)
  local sealed, last, base = known(keys[1], args[1])
  if sealed then return SEALED end
  local through = tonumber(args[2])
  if last < through then
    redis.call('DEL', keys[2])
    redis.call('HSET', keys[1], 'last:' .. args[1], args[2], 'base:' .. args[1], args[2])
  else
    cut(keys, args[1], base, through)
  end
  return 0
end

-- After which number the lane is read, then the sequences, then the records.
local function read(keys, args)
  local _, _, base = known(keys[1], args[1])
  local from = math.max(base, tonumber(args[2]))
  local sequences, records = {}, {}
  for _, entry in ipairs(redis.call('XRANGE', keys[2], id(from + 1), '+', 'COUNT', args[3])) do
    sequences[#sequences + 1] = tonumber(string.match(entry[1], '^%d+'))
    records[#records + 1] = entry[2][2]
  end
  return { from, sequences, records }
end

-- The seal stays: whoever wakes late must not begin anew.
local function remove(keys, args)
  if redis.call('HEXISTS', keys[1], 'sealed') == 0 then return CONFLICT end
  redis.call('DEL', unpack(keys))
  redis.call('HSET', keys[1], 'sealed', 1)
  return 0
end

redis.register_function('smartcart_2_append', append)
redis.register_function('smartcart_2_trim', trim)
redis.register_function('smartcart_2_begin_after', begin_after)
redis.register_function{function_name = 'smartcart_2_read', callback = read, flags = {'no-writes'}}
redis.register_function('smartcart_2_remove', remove)
