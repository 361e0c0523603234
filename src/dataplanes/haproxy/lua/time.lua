-- The time that a call has: its function's, or less where its caller has less.

local now = require("live").now
local refuse = require("carry-out").refuse

local unitMs = { ms = 1, s = 1000, m = 60000, h = 3600000 }

-- Milliseconds of `5`, `5s`, `1m30s`, `250ms`; nil when `text` spells none.
local function durationOf(text)
  local trimmed = text:match("^%s*(.-)%s*$")
  if trimmed:match("^%d+$") then return #trimmed <= 9 and tonumber(trimmed) * 1000 or nil end
  local total, rest = 0, trimmed
  while rest ~= "" do
    local count, unit, more = rest:match("^(%d+%.?%d*)(m?[smh])(.*)$")
    if count ~= nil and unit == "mh" or unit == "mm" then count = nil end
    if count == nil or unitMs[unit] == nil then return nil end
    if count:sub(-1) == "." then return nil end
    total, rest = total + tonumber(count) * unitMs[unit], more
  end
  if trimmed == "" then return nil end
  return total
end

-- False when the call was refused: its caller's words make no sense, or its time is over.
local function timed(txn, plan, at)
  local text, left = txn:get_var("txn.asked_time"), txn:get_var("txn.asked_left")
  local ms = plan.timeout
  if text ~= nil then
    ms = durationOf(text)
    -- As in deadline.ts: the caller sets no bound.
    if ms == 0 then ms = plan.timeout end
  end
  if left ~= nil then ms = left:match("^-?%d+$") and #left <= 12 and tonumber(left) or nil end
  if ms == nil then
    refuse(txn, "bad-request", 400)
    return false
  end
  if ms <= 0 then
    refuse(txn, "timeout", 504)
    return false
  end
  if ms < plan.timeout then txn:set_var("txn.shortened", 1) end
  txn:set_var("txn.timeout", math.max(1, math.floor(math.min(ms, plan.timeout))))
  txn:set_var("txn.ends", math.floor(at + math.min(ms, plan.timeout)))
  return true
end

core.register_fetches("left", function(txn)
  local ends = txn:get_var("txn.ends")
  return tostring(ends and math.max(1, math.floor(ends - now())) or 60000)
end)

return { timed = timed }
