-- The arithmetic of two windows that make one that slides: what a hit does to the counter of its window.
-- Twin of core/algorithm/sliding-window.ts. A module for batch.lua: it asks for no time and touches no key.
--
-- Counters are integers from 0 to 2^32, costs integers within +-(2^53-1), and `elapsed` says how much of the current
-- window has passed, 0 to 1000000 ticks. Every product stays below 2^53, where doubles are exact.

local TICKS = 1000000
local MOST = 4294967296

-- How much of the limit is taken.
local function estimate(used, before, elapsed)
  return used + math.ceil(before * (TICKS - elapsed) / TICKS)
end

-- Whether the hit is over, and the counter of the current window after it. A refused hit takes nothing; a negative cost
-- gives back, and stops at zero.
local function decide(used, before, cost, limit, elapsed)
  if cost > 0 then
    if estimate(used, before, elapsed) + cost > limit then return true, used end
    return false, used + cost
  end
  used = used + cost > 0 and used + cost or 0
  return estimate(used, before, elapsed) > limit, used
end

-- A counter as any program may have stored it.
local function counter(stored)
  return stored < 0 and 0 or stored > MOST and MOST or stored
end

return { decide = decide, counter = counter }
