-- Charges the counters of fixed windows, a batch of hits in one call.
-- Twin of core/algorithm/fixed-window.ts.
--
-- KEYS[i]      the counter of hit i. A key may come more than once; hits are charged in order.
-- ARGV[2i-1]   its cost, an integer within +-(2^53-1): adds, 0 looks, a negative one gives back.
-- ARGV[2i]     the seconds the counter lives when this hit creates it, at least 1.
-- ARGV[2n+1..] groups of neighbours, requests that are refused or admitted as a whole, in order of their hits. For each:
--              the index of its first hit; its size; 1 when a refused request is charged nothing, 0 when it is charged
--              where it goes over; and for each of its hits the limit, and whether it refuses: 0 never, 1 alone, 2
--              together with all others of 2.
-- ARGV[last]   a name for this call that is no number.
-- Reply        that name last, so that no other call's reply is taken for this one's. Before it for each hit the counter afterwards, from 0 to 2^53-1: an integer, but decimal text above 2^52, where
--              clients that read digit by digit into a double begin to err. Or, in a group, '=' and the counter that was
--              only looked at, '>' when it would have gone over. Or the error text of a counter that could not be
--              charged; then its group is not charged at all, but hits outside of groups all the same.
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
  if #value > 20 or (value ~= '0' and not string.find(value, '^-?[1-9]%d*$')) then return nil, NO_INTEGER end
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

-- The counters of a group before it is charged, by key; or nil and an error text.
local function look_at_group(first, size)
  local standing = {}
  for hit = first, first + size - 1 do
    local key = KEYS[hit]
    if not standing[key] then
      local used, err = look(key)
      if err then return nil, err end
      standing[key] = used
    end
  end
  return standing
end

-- Which hits of a group would go over, and whether that refuses it. In turn: each as if those before it were charged;
-- else each against its counter as it stands.
local function overs_of(first, size, at, in_turn, standing)
  local over, together, spent, denied = {}, 0, 0, false
  local counters = {}
  for i = 0, size - 1 do
    local key, refuses = KEYS[first + i], ARGV[at + 2 * i + 1]
    local after = (counters[key] or standing[key]) + tonumber(ARGV[2 * (first + i) - 1])
    if in_turn then
      after = math.max(0, math.min(MAX, after))
      counters[key] = after
    end
    over[i] = after > tonumber(ARGV[at + 2 * i])
    if refuses == '2' then together = together + 1 end
    if over[i] and refuses == '1' then denied = true end
    if over[i] and refuses == '2' then spent = spent + 1 end
  end
  return over, denied or (together > 0 and together == spent)
end

-- Charges hits first .. first+size-1 together. A refund is given back in any case.
local function charge_group(reply, first, size, at)
  local in_turn = ARGV[at] == '1'
  local standing, err = look_at_group(first, size)
  if err then
    for hit = first, first + size - 1 do reply[hit] = err end
    return
  end
  local over, denied = overs_of(first, size, at + 1, in_turn, standing)
  for i = 0, size - 1 do
    local hit = first + i
    local key, cost = KEYS[hit], ARGV[2 * hit - 1]
    local charged = not denied or (over[i] and not in_turn)
    local told
    if charged or tonumber(cost) < 0 then
      told = charge(key, cost, ARGV[2 * hit])
      standing[key] = tonumber(told) or standing[key]
    end
    if not charged and (told == nil or tonumber(told)) then
      told = (over[i] and '>' or '=') .. decimal(standing[key])
    end
    reply[hit] = told
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
    group_at = group_at + 3 + 2 * size
    group_first = tonumber(ARGV[group_at])
    i = i + size
  else
    reply[i] = charge(KEYS[i], ARGV[2 * i - 1], ARGV[2 * i])
    i = i + 1
  end
end
reply[hits + 1] = ARGV[#ARGV]
return reply
