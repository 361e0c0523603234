-- A decision becomes variables of the call, by which HAProxy's rules go on.

local state = require("live")
local peerOf, taken = state.peerOf, state.taken

local function advance(live, target, weight)
  if weight <= 0 then return end
  local stride = 1 / weight
  local pass = math.max(live.passes[target] or 0, live.front - stride) + stride
  live.passes[target], live.front = pass, math.max(live.front, pass)
end

local function beginLocal(txn, plan, live, from, at)
  if plan.rate > 0 then live.rate = taken(live.rate, plan.rate, at) end
  if from == nil then
    if plan.limit and plan.limit.rate then live.own = taken(live.own, plan.limit.value, at) end
    if plan.policy == "w" then advance(live, "here", plan.weight) end
  else
    local limit = plan.admission[from] or plan.others
    if limit and limit.rate then live.received[from] = taken(live.received[from], limit.value, at) end
  end
  txn:set_var("txn.act", #plan.replicas > 0 and "serve" or "hold")
  txn:set_var("txn.slot", plan.slot)
end

local function beginForward(txn, key, live, share, at)
  local peer = peerOf(share.id)
  peer.sentSince = peer.sentSince + 1
  local there = peer.functions[key]
  if there ~= nil then there.sentSince = there.sentSince + 1 end
  if share.limit and share.limit.rate then live.sent[share.id] = taken(live.sent[share.id], share.limit.value, at) end
  advance(live, share.id, share.weight)
  txn:set_var("txn.act", "forward")
  txn:set_var("txn.to", share.id)
end

-- `plan`: where it may be the reason that nothing runs.
local function refuse(txn, reason, status, plan)
  if reason == "start-failed" then txn:set_var("txn.hint", " " .. (plan.problem or "")) end
  txn:set_var("txn.act", "refuse")
  txn:set_var("txn.reason", reason)
  txn:set_var("txn.status", status)
end

local function carryOut(txn, key, plan, live, decision, at)
  if decision.kind == "serve" then return beginLocal(txn, plan, live, nil, at) end
  if decision.kind == "refuse" then return refuse(txn, decision.reason, decision.status, plan) end
  if decision.kind == "wait" then
    refuse(txn, decision.reason, decision.status)
    return txn:set_var("txn.act", "wait")
  end
  -- A long body can be sent once: whoever carries it asks the peer first.
  if txn:get_var("txn.long") == 1 then return txn:set_var("txn.act", "carry") end
  beginForward(txn, key, live, decision.share, at)
end

-- Counts which bound was in the way of a call that is not served here; a rate, or a share that is not ours, is none.
local function foundNoRoom(live, room)
  if room == "slots" then live.full = live.full + 1 end
  if room == "limit" then live.limit = live.limit + 1 end
end

return { carryOut = carryOut, beginLocal = beginLocal, refuse = refuse, foundNoRoom = foundNoRoom }
