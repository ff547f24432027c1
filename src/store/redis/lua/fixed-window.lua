-- Counts the hits of a fixed window: one counter, written together with its expiry or not at all.
-- Twin of core/algorithm/fixed-window.ts. A module for batch.lua.
--
-- Counters are decimal integers, as INCRBY makes them; a negative one is another program's poison and reads as 0. One
-- never stays without a time to live, whatever fails.

local MAX = 9007199254740991
local NO_INTEGER = 'ERR value is not an integer or out of range'

local pcall = redis.pcall
local format, find, floor = string.format, string.find, math.floor

-- Lua numbers are doubles, and tostring would print 14 digits. In two halves of 31 bits, as '%d' may have no more, and
-- '%.0f' is three times as dear. Below 2^52 the quotient is rounded to no integer that it is not.
local function decimal(number)
  if number < 1000000000 then return format('%d', number) end
  if number >= 4503599627370496 then return format('%.0f', number) end
  local high = floor(number / 1000000000)
  return format('%d%09d', high, number - high * 1000000000)
end

-- The counter, 0 when there is none; or nil and an error text. Sliding windows count in such counters too.
local function look(key)
  local value = pcall('GET', key)
  if not value then return 0 end
  if type(value) == 'table' then return nil, value.err end
  if #value > 20 or (value ~= '0' and not find(value, '^-?[1-9]%d*$')) then return nil, NO_INTEGER end
  local used = value + 0
  return used < 0 and 0 or used > MAX and MAX or used
end

-- Writes a counter whole, in place of one that INCRBY could not be used for or left wrong.
local function put(key, used, ...)
  local done = pcall('SET', key, decimal(used), ...)
  return done.err or used
end

-- After an INCRBY that did not simply count: overflow, saturation, a negative counter, or an error.
local function mend(key, cost, ttl, after)
  if type(after) == 'table' then
    if not find(after.err, 'overflow', 1, true) then return after.err end
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
  return after
end

local function give_back(key, cost)
  local used, err = look(key)
  if err then return err end
  if used == 0 then return 0 end
  return put(key, math.max(0, used + cost), 'KEEPTTL')
end

-- Adds, looks when the cost is 0, or gives back: the counter, or an error text. `text` is the cost as it came.
local function charge(key, text, cost, ttl)
  if cost > 0 then return add(key, text, cost, ttl) end
  if cost < 0 then return give_back(key, cost) end
  local used, err = look(key)
  return err or used
end

-- The counter after a charge, were it made.
local function after(used, cost)
  return math.max(0, math.min(MAX, used + cost))
end

return { decimal = decimal, look = look, charge = charge, after = after }
