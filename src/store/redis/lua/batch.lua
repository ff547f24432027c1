-- Charges a batch of hits in one call, those of fixed windows with the least ado. `fixed_window`, `sliding_window` and
-- `gcra` give the modules of these names, which stand before this text.
--
-- KEYS[i]      the counter of hit i, of n hits. A key may come more than once; hits are charged in order.
-- KEYS[n+1..]  the counters of the windows before, one for each hit of a sliding window, in order.
-- ARGV[1]      n.
-- ARGV[2]      r, where the runs begin.
-- ARGV[3]      t, where the ticks begin.
-- ARGV[4..]    kinds of hits. First its cost, an integer within +-(2^53-1): adds, 0 looks, a negative one gives back. Then
--              the seconds that the counter lives when this hit creates it, at least 1, of a fixed window; 's', these
--              seconds, the limit, of a sliding window; 'b', the interval in microseconds and parts, the burst, of a
--              bucket.
-- ARGV[r..]    runs, neighbours of one kind, until all hits have theirs. For each: how many hits; where in ARGV their kind
--              begins.
-- ARGV[t..]    the ticks that have passed of the window, one for each hit of a sliding window, in order.
-- ARGV[..]     groups of neighbours, requests that are refused or admitted as a whole, in order of their hits. For each:
--              the index of its first hit; its size; 1 when a refused request is charged nothing, 0 when it is charged
--              where it goes over; and for each of its hits the limit, and whether it refuses: 0 never, 1 alone, 2
--              together with all other quotas, 3 as part of the quota that the last 2 began.
-- ARGV[last]   a name for this call that is no number.
-- Reply        a list as cmsgpack packs it, which clients read faster than one of the protocol, and every integer exactly:
--              the time of this server in microseconds, 0 when no hit is of a bucket;
--              for each hit the counter afterwards, an integer from 0 to 2^53-1: of a sliding window its own and the one
--              before, of a bucket microseconds and parts of the TAT. Before them stands '-' when it was refused and so not
--              charged; or, in a group, '=' when it was only looked at, '>' when it would have gone over;
--              or in place of all that the error text of a counter that could not be charged; then its group is not charged
--              at all, but hits outside of groups all the same;
--              for each hit of a counter that could not be put, whatever was told of it: its index, the error text;
--              that name, so that no other call's reply is taken for this one's.
--
-- Buckets use the time of this server, so that many callers agree on it. No key stays without a time to live, whatever
-- fails. Needs Redis 6.2 or Valkey.

local pcall = redis.pcall
local KEYS, ARGV, tonumber = KEYS, ARGV, tonumber
local fixed = fixed_window()
local hits = tonumber(ARGV[1])
local ticks_before = ARGV[3] - 1

local reply, told = { 0 }, 1
local function tell(main, rest, mark)
  if mark then
    told = told + 1
    reply[told] = mark
  end
  told = told + 1
  reply[told] = main
  if rest then
    told = told + 1
    reply[told] = rest
  end
end

local NO_BUCKET = 'ERR value is not a bucket'

-- What gives back makes no counter, and lets none live longer.
local TAKEN, GIVEN_BACK = 'taken', 'given back'

-- An algorithm other than fixed windows keeps two numbers: it can look at them or return nil and an error text, decide
-- what a hit makes of them, keep that, and put all that it kept, each key once a batch. `slid` says which of the hits of
-- sliding windows it is. What it knows of a key stands in four places of `kept`: both numbers, how they are to be put if at
-- all, the key. Made when first needed.
local function sliding_windows()
  local sliding = sliding_window()
  local look, counter, decide = fixed.look, sliding.counter, sliding.decide
  local at_of, kept, size = {}, {}, 0
  return {
    -- What this batch made of the window before is newer than what Redis said of it.
    look = function(key, slid)
      local at, before, err = at_of[key], nil, nil
      if not at then
        local used
        used, err = look(key)
        if not used then return nil, err end
        at, size = size + 1, size + 4
        at_of[key] = at
        kept[at], kept[at + 1], kept[at + 2], kept[size] = counter(used), false, false, key
      end
      local key_before = KEYS[hits + slid]
      local at_before = at_of[key_before]
      before = at_before and kept[at_before] or kept[at + 1]
      if not before then
        before, err = look(key_before)
        if not before then return nil, err end
        before = counter(before)
        kept[at + 1] = before
      end
      return kept[at], before
    end,
    decide = function(kind, slid, used, before)
      local over, after = decide(used, before, kind.cost, kind.limit, ARGV[ticks_before + slid] + 0)
      return over, after, before
    end,
    keep = function(key, kind, used)
      local at = at_of[key]
      kept[at] = used
      kept[at + 2] = kind.cost > 0 and kind.life or kept[at + 2] or GIVEN_BACK
    end,
    put = function(failed)
      for at = 1, size, 4 do
        local life, key, done = kept[at + 2], kept[at + 3], nil
        if life == GIVEN_BACK then
          done = pcall('SET', key, fixed.decimal(kept[at]), 'XX', 'KEEPTTL')
        elseif life then
          done = pcall('SET', key, fixed.decimal(kept[at]), 'EX', life)
        end
        if done and done.err then failed(key, done.err) end
      end
    end,
  }
end

local function buckets()
  local bucket = gcra()
  local decide, text, decimal = bucket.decide, bucket.text, fixed.decimal
  local time = redis.call('TIME')
  local now_us = time[1] * 1000000 + time[2]
  reply[1] = now_us
  local at_of, kept, size = {}, {}, 0
  return {
    look = function(key)
      local at = at_of[key]
      if at then return kept[at], kept[at + 1] end
      local stored, us, parts = pcall('GET', key), 0, 0
      if stored then
        if type(stored) == 'table' then return nil, stored.err end
        us, parts = bucket.parse(stored)
        if not us then return nil, NO_BUCKET end
      end
      at, size = size + 1, size + 4
      at_of[key] = at
      kept[at], kept[at + 1], kept[at + 2], kept[size] = us, parts, false, key
      return us, parts
    end,
    decide = function(kind, _, us, parts)
      return decide(us, parts, kind.cost, kind.interval_us, kind.interval_parts, kind.burst, now_us)
    end,
    keep = function(key, kind, us, parts)
      local at = at_of[key]
      kept[at], kept[at + 1], kept[at + 2] = us, parts, kind.cost > 0 and TAKEN or kept[at + 2] or GIVEN_BACK
    end,
    put = function(failed)
      for at = 1, size, 4 do
        local us, parts, how, key = kept[at], kept[at + 1], kept[at + 2], kept[at + 3]
        local done
        if how == GIVEN_BACK then
          done = pcall('SET', key, text(us, parts), 'XX', 'PX', decimal(bucket.life_ms(us, now_us)))
        elseif how then
          done = pcall('SET', key, text(us, parts), 'PX', decimal(bucket.life_ms(us, now_us)))
        end
        if done and done.err then failed(key, done.err) end
      end
    end,
  }
end

local windows_that_slide, timed

-- The kind that begins at `where` in ARGV, read once.
local known = {}
local function kind_at(where)
  local kind = known[where]
  if kind then return kind end
  local at = tonumber(where)
  local text, name = ARGV[at], ARGV[at + 1]
  kind = { cost = tonumber(text) }
  if name == 's' then
    windows_that_slide = windows_that_slide or sliding_windows()
    kind.algorithm, kind.slides = windows_that_slide, true
    kind.life, kind.limit = ARGV[at + 2], tonumber(ARGV[at + 3])
  elseif name == 'b' then
    timed = timed or buckets()
    kind.algorithm = timed
    kind.interval_us, kind.interval_parts = tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
    kind.burst = tonumber(ARGV[at + 4])
  else
    kind.text, kind.life = text, name
  end
  known[where] = kind
  return kind
end

-- Charges a hit: its numbers then, and '-' if it is refused; or an error text. What is refused takes nothing, but what is
-- stored may be moved back.
local function charge(key, kind, slid)
  local algorithm, cost = kind.algorithm, kind.cost
  if not algorithm then return fixed.charge(key, kind.text, cost, kind.life) end
  local main, rest = algorithm.look(key, slid)
  if not main then return rest end
  local over, main_then, rest_then = algorithm.decide(kind, slid, main, rest)
  local refused = over and cost > 0
  if cost ~= 0 and (not refused or main_then < main) then algorithm.keep(key, kind, main_then, rest_then) end
  return main_then, rest_then, refused and '-'
end

-- What charges hits first .. first+size-1 together; what ARGV says of them begins at `at`.
local function groups(kinds, slids)
  -- Both numbers of hit i before it is charged, moved back if it is refused; or nil and an error text.
  local function look(i)
    local kind, key = kinds[i], KEYS[i]
    local algorithm, cost = kind.algorithm, kind.cost
    if not algorithm then return fixed.look(key) end
    local main, rest = algorithm.look(key, slids[i])
    if not main then return nil, rest end
    local over, main_then, rest_then = algorithm.decide(kind, slids[i], main, rest)
    if cost <= 0 or not over or main_then >= main then return main, rest end
    algorithm.keep(key, kind, main_then, rest_then)
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
      local key, kind, refuses = KEYS[i], kinds[i], ARGV[at + 2 * n + 1]
      local main, rest = mains_then[key] or mains[key], rests_then[key] or rests[key]
      if kind.algorithm then
        over[n], main, rest = kind.algorithm.decide(kind, slids[i], main, rest)
      else
        main = fixed.after(main, kind.cost)
        over[n] = main > tonumber(ARGV[at + 2 * n])
      end
      if in_turn then mains_then[key], rests_then[key] = main, rest end
      if refuses == '2' then quotas, is_spent = quotas + 1, false end
      if over[n] and refuses == '1' then denied = true end
      if over[n] and (refuses == '2' or refuses == '3') and not is_spent then spent, is_spent = spent + 1, true end
    end
    return over, denied or (quotas > 0 and quotas == spent)
  end

  -- A refund is given back in any case.
  return function(first, size, at)
    local in_turn = ARGV[at] == '1'
    local mains, rests = look_at_group(first, size)
    if not mains then
      for _ = 1, size do tell(rests) end
      return
    end
    local over, denied = overs_of(first, size, at + 1, in_turn, mains, rests)
    for n = 0, size - 1 do
      local i = first + n
      local key, charged = KEYS[i], not denied or (over[n] and not in_turn)
      local main, rest, mark = mains[key], rests[key], over[n] and '>' or '='
      if charged then
        main, rest, mark = charge(key, kinds[i], slids[i])
      elseif kinds[i].cost < 0 then
        main, rest = charge(key, kinds[i], slids[i])
      end
      if type(main) == 'string' then
        tell(main)
      else
        tell(main, rest, mark)
        mains[key], rests[key] = main, rest
      end
    end
  end
end

local run_at, first, slid = ARGV[2] + 0, 1, 0
local group_at = ticks_before + 1 + #KEYS - hits
local group_first = tonumber(ARGV[group_at])
if group_first then
  local kinds, slids = {}, {}
  while first <= hits do
    local last, kind = first + ARGV[run_at] - 1, kind_at(ARGV[run_at + 1])
    for i = first, last do
      if kind.slides then slid = slid + 1 end
      kinds[i], slids[i] = kind, slid
    end
    first, run_at = last + 1, run_at + 2
  end
  local charge_group = groups(kinds, slids)
  local i = 1
  while i <= hits do
    if i == group_first then
      local size = tonumber(ARGV[group_at + 1])
      charge_group(i, size, group_at + 2)
      group_at = group_at + 3 + 2 * size
      group_first = tonumber(ARGV[group_at])
      i = i + size
    else
      tell(charge(KEYS[i], kinds[i], slids[i]))
      i = i + 1
    end
  end
else
  while first <= hits do
    local last, kind = first + ARGV[run_at] - 1, kind_at(ARGV[run_at + 1])
    for i = first, last do
      if kind.slides then slid = slid + 1 end
      tell(charge(KEYS[i], kind, slid))
    end
    first, run_at = last + 1, run_at + 2
  end
end

if windows_that_slide or timed then
  local errors = {}
  local function failed(key, err) errors[key] = err end
  if windows_that_slide then windows_that_slide.put(failed) end
  if timed then timed.put(failed) end
  if next(errors) then
    for i = 1, hits do
      local err = errors[KEYS[i]]
      if err then tell(i, err) end
    end
  end
end
tell(ARGV[#ARGV])
return cmsgpack.pack(reply)
