-- The arithmetic of a bucket that is one timestamp, the theoretical arrival time (TAT).
-- Twin of core/algorithm/gcra.ts. A module for batch.lua: it asks for no time and touches no key.
--
-- A TAT, like an interval, is whole microseconds and parts of 2^-20 of one: two integers. Costs are integers within
-- +-(2^53-1), and `burst` intervals are less than 2^52 microseconds, so that every product is exact in doubles.

local PARTS = 1048576
local CLOCK_STEP_US = 5000000

local floor, ceil, format, match = math.floor, math.ceil, string.format, string.match

-- Whether the hit is over, and the TAT after it. A refused hit takes nothing, but a TAT that is further ahead than a full
-- bucket and a step of the clock is moved back; a negative cost gives back until the bucket is full.
local function decide(tat_us, tat_parts, cost, interval_us, interval_parts, burst, now_us)
  local ahead_us, ahead_parts = tat_us - now_us, tat_parts
  if ahead_us < 0 then ahead_us, ahead_parts = 0, 0 end
  local full_us, full_parts = burst * interval_us, burst * interval_parts
  if full_parts >= PARTS then
    local left = full_parts % PARTS
    full_us, full_parts = full_us + (full_parts - left) / PARTS, left
  end
  local most_us = cost < 0 and full_us or full_us + CLOCK_STEP_US
  if ahead_us > most_us or (ahead_us == most_us and ahead_parts > full_parts) then
    ahead_us, ahead_parts = full_us, full_parts
  end
  if cost > burst then return true, now_us + ahead_us, ahead_parts end

  local moves = cost < -burst and -burst or cost
  local then_us, then_parts = ahead_us + moves * interval_us, ahead_parts + moves * interval_parts
  if then_parts < 0 or then_parts >= PARTS then
    local left = then_parts % PARTS
    then_us, then_parts = then_us + (then_parts - left) / PARTS, left
  end
  if cost > 0 and (then_us > full_us or (then_us == full_us and then_parts > full_parts)) then
    return true, now_us + ahead_us, ahead_parts
  end
  if then_us < 0 then then_us, then_parts = 0, 0 end
  return false, now_us + then_us, then_parts
end

-- The text that is stored: microseconds, a colon, parts. Lua itself writes 14 digits, which are too few for a time.
local function text(us, parts)
  if us < 1000000000 or us >= 4503599627370496 then return format('%.0f:%d', us, parts) end
  local thousand_seconds = floor(us / 1000000000)
  return format('%d%09d:%d', thousand_seconds, us - thousand_seconds * 1000000000, parts)
end

-- Microseconds and parts of a stored text; nil when it is none.
local function parse(stored)
  local us, parts = match(stored, '^(%d+):(%d+)$')
  if not us or #us > 16 or #parts > 7 then return nil end
  return us + 0, parts % PARTS
end

-- How long the key must live: until the bucket is full, and a second more.
local function life_ms(us, now_us)
  return us > now_us and ceil((us - now_us) / 1000) + 1000 or 1000
end

return { decide = decide, text = text, parse = parse, life_ms = life_ms }
