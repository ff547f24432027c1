-- Charges the counters of fixed windows, a batch of hits in one call.
-- Twin of core/algorithm/fixed-window.ts.
--
-- KEYS[i]      the counter of hit i. A key may come more than once; hits are charged in order.
-- ARGV[2i-1]   its cost, an integer within +-(2^53-1): adds, 0 looks, a negative one gives back.
-- ARGV[2i]     the seconds the counter lives when this hit creates it, at least 1.
-- ARGV[2n+1..] groups of neighbours that stop each other when over, in order of their hits. For each group: the index
--              of its first hit, its size, and for each of its hits the limit and 1 for a shadow rule, else 0.
-- Reply        for each hit the counter afterwards, from 0 to 2^53-1: an integer, but decimal text above 2^52, where
--              clients that read digit by digit into a double begin to err. Or the error text of a counter that could
--              not be charged; the others are charged all the same.
--
-- A counter never stays without a time to live, whatever fails. Counters are decimal integers, as INCRBY makes them; a
-- negative one is another program's poison and reads as 0. Needs Redis 6.2 or Valkey.

local MAX = 9007199254740991
local READ_EXACTLY = 4503599627370496
local NO_INTEGER = 'ERR value is not an integer or out of range'

local pcall = redis.pcall
local KEYS, ARGV = KEYS, ARGV

-- Lua numbers are doubles, and tostring would print 14 digits.
local function decimal(number)
  return string.format('%.0f', number)
end

local function tell(used)
  return used > READ_EXACTLY and decimal(used) or used
end

-- The counter, 0 when there is none; or nil and an error text.
local function look(key)
  local value = pcall('GET', key)
  if not value then return 0 end
  if type(value) == 'table' then return nil, value.err end
  if value ~= '0' and not string.find(value, '^-?[1-9]%d*$') then return nil, NO_INTEGER end
  return math.max(0, math.min(MAX, tonumber(value)))
end

-- Writes a counter whole, in place of one that INCRBY could not be used for or left wrong.
local function put(key, used, ...)
  local done = pcall('SET', key, decimal(used), ...)
  return done.err or tell(used)
end

-- After an INCRBY that did not simply count: overflow, saturation, a negative counter, or an error.
local function mend(key, cost, ttl, after)
  if type(after) == 'table' then
    if not string.find(after.err, 'overflow', 1, true) then return after.err end
    return put(key, MAX, 'EX', ttl)
  end
  return put(key, after > MAX and MAX or cost, 'EX', ttl)
end

local function add(key, text, cost, ttl)
  local after = pcall('INCRBY', key, text)
  if type(after) ~= 'number' or after < cost or after > MAX then return mend(key, cost, ttl, after) end
  if after == cost then
    -- New, or was given back to zero: then it lives a whole window again, which harms nobody.
    local set = pcall('EXPIRE', key, ttl)
    if type(set) == 'table' then
      pcall('DEL', key)
      return set.err
    end
  end
  return tell(after)
end

local function give_back(key, cost)
  local used, err = look(key)
  if err then return err end
  if used == 0 then return 0 end
  return put(key, math.max(0, used + cost), 'KEEPTTL')
end

local function charge(key, text, ttl)
  local cost = tonumber(text)
  if cost > 0 then return add(key, text, cost, ttl) end
  if cost < 0 then return give_back(key, cost) end
  local used, err = look(key)
  return err or tell(used)
end

-- Charges hits first .. first+size-1. When one that is no shadow rule's would go over, only those that would are
-- charged. All are held against the counters as they stood before.
local function charge_group(reply, first, size, at)
  local over, stops = {}, false
  for i = 0, size - 1 do
    local used = look(KEYS[first + i]) or 0
    over[i] = used + tonumber(ARGV[2 * (first + i) - 1]) > tonumber(ARGV[at + 2 * i])
    if over[i] and ARGV[at + 2 * i + 1] == '0' then stops = true end
  end
  for i = 0, size - 1 do
    local hit = first + i
    local cost = (over[i] or not stops) and ARGV[2 * hit - 1] or '0'
    reply[hit] = charge(KEYS[hit], cost, ARGV[2 * hit])
  end
end

local reply = {}
local hits = #KEYS
local group_at = 2 * hits + 1
local group_first = tonumber(ARGV[group_at])
local i = 1
while i <= hits do
  if i == group_first then
    local size = tonumber(ARGV[group_at + 1])
    charge_group(reply, i, size, group_at + 2)
    group_at = group_at + 2 + 2 * size
    group_first = tonumber(ARGV[group_at])
    i = i + size
  else
    reply[i] = charge(KEYS[i], ARGV[2 * i - 1], ARGV[2 * i])
    i = i + 1
  end
end
return reply
