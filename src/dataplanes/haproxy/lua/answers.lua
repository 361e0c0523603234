-- What answers tell: how long calls take, what peers have to do, why calls are refused.

local entries, state = require("entries"), require("live")
local node, planOf, plannedPeer = entries.node, entries.planOf, entries.plannedPeer
local liveOf, peerOf, thereOf = state.liveOf, state.peerOf, state.thereOf
local now, running, reported, tookMs = state.now, state.running, state.reported, state.tookMs

-- A peer that refused for another reason than that it is full is left alone for so long.
local closedMs = 250

core.register_action("served", { "http-res" }, function(txn)
  local key = txn:get_var("txn.key")
  if planOf(key) == nil then return end
  local live = liveOf(key)
  local took = (txn:get_var("txn.took") or 0) / 1000
  tookMs(live, took, 1)
  live.served = live.served + 1
  -- A quick error says nothing of how long a call takes.
  if txn.f:status() < 500 then live.ran, live.ranMs = live.ran + 1, live.ranMs + took end
end)

local notRun = {
  full = true, ["over-rate"] = true, ["queue-timeout"] = true, ["no-replica"] = true,
  ["start-failed"] = true, ["unknown-function"] = true, draining = true, ["not-a-peer"] = true,
}

-- A peer answered: its load, and whether it took the call.
core.register_action("heard", { "http-res" }, function(txn)
  local key, id = txn:get_var("txn.key"), txn:get_var("txn.to")
  if plannedPeer(id) == nil or planOf(key) == nil then return end
  local live, peer, at = liveOf(key), peerOf(id), now()
  local load = txn.f:res_hdr("x-skein-load") or ""
  local inFlight, slots, more = load:match("^(%d+)/(%d+)(.*)$")
  if inFlight ~= nil and #inFlight < 8 and #slots < 8 then
    local mine, limit = more:match("^;(%d+)/(%d+)$")
    local there = mine and { inFlight = tonumber(mine), limit = tonumber(limit) }
    reported(peer, key, at, tonumber(inFlight), tonumber(slots), there)
  end
  local reason = txn.f:res_hdr("x-skein-reason") or ""
  if not notRun[reason] then live.forwarded[id] = (live.forwarded[id] or 0) + 1
  elseif reason ~= "full" then thereOf(peer, key).closedUntil = at + closedMs end
end)

local counted = { timeout = true, ["function-failed"] = true, ["too-large"] = true, ["bad-request"] = true }

-- Counted where an answer leaves: also HAProxy's own (502, 503, 504) say their reason.
core.register_fetches("rejected", function(txn)
  local key, reason = txn:get_var("txn.key"), txn.f:res_hdr("x-skein-reason") or ""
  if (notRun[reason] or counted[reason]) and planOf(key) ~= nil then
    local live = liveOf(key)
    live.rejected[reason] = (live.rejected[reason] or 0) + 1
    -- One that was cut off took at least so long.
    if reason == "timeout" and txn:get_var("txn.started") ~= nil then
      live.ran, live.ranMs = live.ran + 1, live.ranMs + (txn:get_var("txn.timeout") or planOf(key).timeout)
    end
  end
  return reason
end)

core.register_fetches("load", function(txn, ending)
  local less = tonumber(ending) or 0
  local text = string.format("%d/%d", running(txn, "t_node", "node") - less, node() and node().slots or 0)
  local key = txn:get_var("txn.key")
  local plan = planOf(key)
  if plan == nil or plan.max <= 0 then return text end
  return string.format("%s;%d/%d", text, running(txn, "t_function", key) - less, plan.max)
end)
