-- Charges a batch of hits in one call, those of fixed windows with the least ado. `fixed_window`, `sliding_window` and
-- `gcra` give the modules of these names, which stand before this text.
--
-- KEYS[i]      the counter of hit i, of n hits. A key may come more than once; hits are charged in order.
-- KEYS[n+1..]  the counters of the windows before, of sliding windows.
-- ARGV[1]      n.
-- ARGV[2i]     the cost of hit i, an integer within +-(2^53-1): adds, 0 looks, a negative one gives back.
-- ARGV[2i+1]   fixed window: the seconds the counter lives when this hit creates it, at least 1.
--              sliding window: 's', these seconds, the limit, the ticks of the window that have passed, and which of KEYS
--              is the window before; with spaces between.
--              bucket: 'b', the interval in microseconds and parts, the burst; with spaces between.
-- ARGV[2n+2..] groups of neighbours, requests that are refused or admitted as a whole, in order of their hits. For each:
--              the index of its first hit; its size; 1 when a refused request is charged nothing, 0 when it is charged
--              where it goes over; and for each of its hits the limit, and whether it refuses: 0 never, 1 alone, 2
--              together with all other quotas, 3 as part of the quota that the last 2 began.
-- ARGV[last]   a name for this call that is no number.
-- Reply        that name last, so that no other call's reply is taken for this one's. Before it for each hit
--              of a fixed window the counter afterwards, from 0 to 2^53-1: an integer or decimal text;
--              of any other '+' and what is stored afterwards, or '-' and what is, if it was refused and so not charged:
--              of a sliding window its counter and the one before, of a bucket microseconds and parts of the TAT, and
--              the time of this server in microseconds;
--              or, in a group, '=' and the same when it was only looked at, '>' when it would have gone over;
--              or the error text of a counter that could not be charged; then its group is not charged at all, but hits
--              outside of groups all the same.
--
-- Buckets use the time of this server, so that many callers agree on it. No key stays without a time to live, whatever
-- fails. Needs Redis 6.2 or Valkey.

local pcall = redis.pcall
local KEYS, ARGV = KEYS, ARGV
local fixed = fixed_window()

local NO_BUCKET = 'ERR value is not a bucket'

-- What the hits of an algorithm have in common: how to look at what is stored, to decide what a cost makes of it, to put
-- that, and to tell it. Each is made when the first such hit is met.
local function sliding_windows()
  local sliding = sliding_window()
  return {
    read = function(i, numbers)
      local ttl, limit, elapsed, before = string.match(numbers, '^s(%d+) (%d+) (%d+) (%d+)$')
      return {
        key = KEYS[i],
        before = KEYS[tonumber(before)],
        ttl = ttl,
        limit = tonumber(limit),
        elapsed = tonumber(elapsed),
      }
    end,
    look = function(hit)
      local used, err = fixed.look(hit.key)
      if err then return nil, err end
      local before, wrong = fixed.look(hit.before)
      if wrong then return nil, wrong end
      return { sliding.counter(used), sliding.counter(before) }
    end,
    decide = function(hit, standing, cost)
      local over, used = sliding.decide(standing[1], standing[2], cost, hit.limit, hit.elapsed)
      return over, { used, standing[2] }
    end,
    -- What gives back makes no counter, and lets none live longer.
    put = function(hit, standing, cost)
      if cost < 0 then return pcall('SET', hit.key, fixed.decimal(standing[1]), 'XX', 'KEEPTTL') end
      return pcall('SET', hit.key, fixed.decimal(standing[1]), 'EX', hit.ttl)
    end,
    tell = function(standing)
      return string.format('%.0f %.0f', standing[1], standing[2])
    end,
  }
end

local function buckets()
  local bucket = gcra()
  local time = redis.call('TIME')
  local now_us = tonumber(time[1]) * 1000000 + tonumber(time[2])
  return {
    read = function(i, numbers)
      local us, parts, burst = string.match(numbers, '^b(%d+) (%d+) (%d+)$')
      return { key = KEYS[i], us = tonumber(us), parts = tonumber(parts), burst = tonumber(burst) }
    end,
    look = function(hit)
      local stored = pcall('GET', hit.key)
      if not stored then return { 0, 0 } end
      if type(stored) == 'table' then return nil, stored.err end
      local us, parts = bucket.parse(stored)
      if not us then return nil, NO_BUCKET end
      return { us, parts }
    end,
    decide = function(hit, standing, cost)
      local over, us, parts = bucket.decide(standing[1], standing[2], cost, hit.us, hit.parts, hit.burst, now_us)
      return over, { us, parts }
    end,
    put = function(hit, standing, cost)
      local text, life = bucket.text(standing[1], standing[2]), bucket.life_ms(standing[1], now_us)
      if cost < 0 then return pcall('SET', hit.key, text, 'XX', 'PX', fixed.decimal(life)) end
      return pcall('SET', hit.key, text, 'PX', fixed.decimal(life))
    end,
    tell = function(standing)
      return string.format('%.0f %.0f %.0f', standing[1], standing[2], now_us)
    end,
  }
end

local S, NINE = 115, 57
local algorithms, others = {}, {}

-- Hit i and its algorithm; nil when it is on a fixed window.
local function other(i)
  local numbers = ARGV[2 * i + 1]
  local mark = string.byte(numbers)
  if mark <= NINE then return nil end
  local algorithm = algorithms[mark]
  if not algorithm then
    algorithm = mark == S and sliding_windows() or buckets()
    algorithms[mark] = algorithm
  end
  local hit = others[i]
  if not hit then
    hit = algorithm.read(i, numbers)
    others[i] = hit
  end
  return hit, algorithm
end

-- Charges hit i: what is told of it, or an error text; and how the counter of one that is on no fixed window stands.
local function charge(i)
  local hit, algorithm = other(i)
  if not hit then return fixed.charge(KEYS[i], ARGV[2 * i], ARGV[2 * i + 1]) end
  local standing, err = algorithm.look(hit)
  if err then return err end
  local cost = tonumber(ARGV[2 * i])
  local over, after = algorithm.decide(hit, standing, cost)
  if over and cost > 0 then return '-' .. algorithm.tell(standing), standing end
  if cost ~= 0 then
    local done = algorithm.put(hit, after, cost)
    if done and done.err then return done.err end
  end
  return '+' .. algorithm.tell(after), after
end

-- The counters of a group before it is charged, by key; or nil and an error text.
local function look_at_group(first, size)
  local standing = {}
  for i = first, first + size - 1 do
    local key = KEYS[i]
    if not standing[key] then
      local hit, algorithm = other(i)
      local found, err
      if hit then
        found, err = algorithm.look(hit)
      else
        found, err = fixed.look(key)
      end
      if err then return nil, err end
      standing[key] = found
    end
  end
  return standing
end

-- Which hits of a group would go over, and whether that refuses it. In turn: each as if those before it were charged;
-- else each against its counter as it stands.
local function overs_of(first, size, at, in_turn, standing)
  local over, quotas, spent, denied, is_spent = {}, 0, 0, false, false
  local counters = {}
  for i = 0, size - 1 do
    local key, cost, refuses = KEYS[first + i], tonumber(ARGV[2 * (first + i)]), ARGV[at + 2 * i + 1]
    local hit, algorithm = other(first + i)
    local before, after = counters[key] or standing[key], nil
    if hit then
      over[i], after = algorithm.decide(hit, before, cost)
    else
      after = fixed.after(before, cost)
      over[i] = after > tonumber(ARGV[at + 2 * i])
    end
    if in_turn then counters[key] = after end
    if refuses == '2' then quotas, is_spent = quotas + 1, false end
    if over[i] and refuses == '1' then denied = true end
    if over[i] and (refuses == '2' or refuses == '3') and not is_spent then spent, is_spent = spent + 1, true end
  end
  return over, denied or (quotas > 0 and quotas == spent)
end

-- What is told of hit i that is not charged.
local function seen(i, standing, over)
  local hit, algorithm = other(i)
  return (over and '>' or '=') .. (hit and algorithm.tell(standing) or fixed.decimal(standing))
end

-- Charges hits first .. first+size-1 together. A refund is given back in any case.
local function charge_group(reply, first, size, at)
  local in_turn = ARGV[at] == '1'
  local standing, err = look_at_group(first, size)
  if err then
    for i = first, first + size - 1 do reply[i] = err end
    return
  end
  local over, denied = overs_of(first, size, at + 1, in_turn, standing)
  for n = 0, size - 1 do
    local i = first + n
    local key = KEYS[i]
    local charged = not denied or (over[n] and not in_turn)
    local failed
    if charged or tonumber(ARGV[2 * i]) < 0 then
      local told, after = charge(i)
      after = after or tonumber(told)
      if after then standing[key] = after else failed = told end
      reply[i] = told
    end
    if not charged and not failed then reply[i] = seen(i, standing[key], over[n]) end
  end
end

local reply = {}
local hits = tonumber(ARGV[1])
local group_at = 2 * hits + 2
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
    reply[i] = charge(i)
    i = i + 1
  end
end
reply[hits + 1] = ARGV[#ARGV]
return reply
