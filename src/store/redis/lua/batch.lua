-- Charges a batch of hits in one call, those of fixed windows with the least ado. `fixed_window`, `sliding_window` and
-- `gcra` give the modules of these names, which stand before this text.
--
-- KEYS[i]      the counter of hit i, of n hits. A key may come more than once; hits are charged in order.
-- KEYS[n+1..]  the counters of the windows before, of sliding windows.
-- ARGV[1]      n.
-- ARGV[2]      r, where the runs begin.
-- ARGV[3..]    kinds of hits, each as often as it takes. First its cost, an integer within +-(2^53-1): adds, 0 looks, a
--              negative one gives back. Then of a fixed window the seconds that the counter lives when this hit creates
--              it, at least 1; of a sliding window 's', these seconds, the limit, the ticks of the window that have
--              passed, and which of KEYS is the window before; of a bucket 'b', the interval in microseconds and parts,
--              the burst.
-- ARGV[r..]    runs, neighbours of one kind, until all hits have theirs. For each: how many hits; where in ARGV their kind
--              begins.
-- ARGV[..]     groups of neighbours, requests that are refused or admitted as a whole, in order of their hits. For each:
--              the index of its first hit; its size; 1 when a refused request is charged nothing, 0 when it is charged
--              where it goes over; and for each of its hits the limit, and whether it refuses: 0 never, 1 alone, 2
--              together with all other quotas, 3 as part of the quota that the last 2 began.
-- ARGV[last]   a name for this call that is no number.
-- Reply        a list as cmsgpack packs it, which clients read faster than one of the protocol, and every integer exactly:
--              that name last, so that no other call's reply is taken for this one's. Before it for each hit
--              of a fixed window the counter afterwards, an integer from 0 to 2^53-1;
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

-- Where in ARGV the kind of hit i begins, and what comes behind the runs.
local hits, kinds, groups_at = tonumber(ARGV[1]), {}, tonumber(ARGV[2])
local first = 1
while first <= hits do
  local beyond, kind = first + tonumber(ARGV[groups_at]), tonumber(ARGV[groups_at + 1])
  for i = first, beyond - 1 do kinds[i] = kind end
  first, groups_at = beyond, groups_at + 2
end

-- ARGV[at] as a number. Hits of one kind share it, so that each is read once.
local read = {}
local function number(at)
  local known = read[at]
  if not known then
    known = tonumber(ARGV[at])
    read[at] = known
  end
  return known
end

local NO_BUCKET = 'ERR value is not a bucket'

-- An algorithm other than fixed windows keeps two numbers: it can look at them or return nil and an error text, decide
-- what a cost makes of them, put that, and tell it. `at` is where its letter stands in ARGV. Made when first needed.
local function sliding_windows()
  local sliding = sliding_window()
  return {
    look = function(key, at)
      local used, err = fixed.look(key)
      if err then return nil, err end
      local before, wrong = fixed.look(KEYS[tonumber(ARGV[at + 4])])
      if wrong then return nil, wrong end
      return sliding.counter(used), sliding.counter(before)
    end,
    decide = function(at, used, before, cost)
      local over, after = sliding.decide(used, before, cost, tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3]))
      return over, after, before
    end,
    -- What gives back makes no counter, and lets none live longer.
    put = function(key, at, used, _, cost)
      if cost < 0 then return pcall('SET', key, used, 'XX', 'KEEPTTL') end
      return pcall('SET', key, used, 'EX', ARGV[at + 1])
    end,
    tell = function(mark, used, before)
      -- Fewer than 14 digits, which Lua writes exactly.
      return mark .. used .. ' ' .. before
    end,
  }
end

local function buckets()
  local bucket = gcra()
  local time = redis.call('TIME')
  local now_us = tonumber(time[1]) * 1000000 + tonumber(time[2])
  local now = ' ' .. fixed.decimal(now_us)
  -- What is put is told next, and making a text of a time is dear.
  local text, text_us, text_parts
  local function text_of(us, parts)
    if us ~= text_us or parts ~= text_parts then
      text, text_us, text_parts = bucket.text(us, parts), us, parts
    end
    return text
  end
  return {
    look = function(key)
      local stored = pcall('GET', key)
      if not stored then return 0, 0 end
      if type(stored) == 'table' then return nil, stored.err end
      local us, parts = bucket.parse(stored)
      if not us then return nil, NO_BUCKET end
      return us, parts
    end,
    decide = function(at, us, parts, cost)
      return bucket.decide(us, parts, cost, number(at + 1), number(at + 2), number(at + 3), now_us)
    end,
    put = function(key, _, us, parts, cost)
      local life = bucket.life_ms(us, now_us)
      if cost < 0 then return pcall('SET', key, text_of(us, parts), 'XX', 'PX', life) end
      return pcall('SET', key, text_of(us, parts), 'PX', life)
    end,
    tell = function(mark, us, parts)
      return mark .. text_of(us, parts) .. now
    end,
  }
end

local makers = { s = sliding_windows, b = buckets }
local algorithms = {}

-- The algorithm of hit i, nil for a fixed window; and where its letter stands, or the seconds of a fixed window.
local function other(i)
  local at = kinds[i] + 1
  local name = ARGV[at]
  local algorithm = algorithms[name]
  if not algorithm and makers[name] then
    algorithm = makers[name]()
    algorithms[name] = algorithm
  end
  return algorithm, at
end

local function cost_of(i)
  return number(kinds[i])
end

-- Puts both numbers of hit i: an error text when that fails.
local function put(i, algorithm, at, main, rest, cost)
  local done = algorithm.put(KEYS[i], at, main, rest, cost)
  return done and done.err
end

-- Charges hit i: what is told of it, or an error text; and as it stands then, unless that is an error. What is refused
-- takes nothing, but what is stored may be moved back.
local function charge(i)
  local key, algorithm, at = KEYS[i], other(i)
  if not algorithm then
    local told = fixed.charge(key, ARGV[at - 1], cost_of(i), ARGV[at])
    return told, tonumber(told)
  end
  local main, rest = algorithm.look(key, at)
  if not main then return rest end
  local cost = cost_of(i)
  local over, main_then, rest_then = algorithm.decide(at, main, rest, cost)
  local refused = over and cost > 0
  if cost ~= 0 and (not refused or main_then < main) then
    local err = put(i, algorithm, at, main_then, rest_then, cost)
    if err then return err end
  end
  return algorithm.tell(refused and '-' or '+', main_then, rest_then), main_then, rest_then
end

-- Both numbers of hit i before it is charged, moved back if it is refused; or nil and an error text.
local function look(i)
  local key, algorithm, at = KEYS[i], other(i)
  if not algorithm then return fixed.look(key) end
  local main, rest = algorithm.look(key, at)
  if not main then return nil, rest end
  local cost = cost_of(i)
  local over, main_then, rest_then = algorithm.decide(at, main, rest, cost)
  if cost <= 0 or not over or main_then >= main then return main, rest end
  local err = put(i, algorithm, at, main_then, rest_then, cost)
  if err then return nil, err end
  return main_then, rest_then
end

-- The counters of a group before it is charged, by key: both numbers of each; or nil and an error text.
local function look_at_group(first, size)
  local mains, rests = {}, {}
  for i = first, first + size - 1 do
    local key = KEYS[i]
    if not mains[key] then
      local main, rest = look(i)
      if not main then return nil, rest end
      mains[key], rests[key] = main, rest
    end
  end
  return mains, rests
end

-- Which hits of a group would go over, and whether that refuses it. In turn: each as if those before it were charged;
-- else each against its counter as it stands.
local function overs_of(first, size, at, in_turn, mains, rests)
  local over, quotas, spent, denied, is_spent = {}, 0, 0, false, false
  local mains_then, rests_then = {}, {}
  for n = 0, size - 1 do
    local i = first + n
    local key, cost, refuses = KEYS[i], cost_of(i), ARGV[at + 2 * n + 1]
    local algorithm, numbers = other(i)
    local main, rest = mains_then[key] or mains[key], rests_then[key] or rests[key]
    if algorithm then
      over[n], main, rest = algorithm.decide(numbers, main, rest, cost)
    else
      main = fixed.after(main, cost)
      over[n] = main > tonumber(ARGV[at + 2 * n])
    end
    if in_turn then mains_then[key], rests_then[key] = main, rest end
    if refuses == '2' then quotas, is_spent = quotas + 1, false end
    if over[n] and refuses == '1' then denied = true end
    if over[n] and (refuses == '2' or refuses == '3') and not is_spent then spent, is_spent = spent + 1, true end
  end
  return over, denied or (quotas > 0 and quotas == spent)
end

-- What is told of hit i that is not charged.
local function seen(i, main, rest, over)
  local algorithm, mark = other(i), over and '>' or '='
  return algorithm and algorithm.tell(mark, main, rest) or mark .. fixed.decimal(main)
end

-- Charges hits first .. first+size-1 together. A refund is given back in any case.
local function charge_group(reply, first, size, at)
  local in_turn = ARGV[at] == '1'
  local mains, rests = look_at_group(first, size)
  if not mains then
    for i = first, first + size - 1 do reply[i] = rests end
    return
  end
  local over, denied = overs_of(first, size, at + 1, in_turn, mains, rests)
  for n = 0, size - 1 do
    local i = first + n
    local key = KEYS[i]
    local charged = not denied or (over[n] and not in_turn)
    local failed = false
    if charged or cost_of(i) < 0 then
      local told, main, rest = charge(i)
      reply[i] = told
      failed = not main
      if main then mains[key], rests[key] = main, rest end
    end
    if not charged and not failed then reply[i] = seen(i, mains[key], rests[key], over[n]) end
  end
end

local reply = {}
local group_at = groups_at
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
return cmsgpack.pack(reply)
