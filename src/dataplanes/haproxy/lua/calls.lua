-- Calls that come: from this node's users, from peers, and again from the waiting room.

local entries, state, deciding = require("entries"), require("live"), require("decide")
local carrying = require("carry-out")
local timed = require("time").timed
local hint = require("near-names").hint
local list, node, planOf, plannedPeer = entries.list, entries.node, entries.planOf, entries.plannedPeer
local liveOf, followed, peerOf, thereOf, now = state.liveOf, state.followed, state.peerOf, state.thereOf, state.now
local canStart, running, within = state.canStart, state.running, state.within
local decide, localRoom, isUp, staleMs = deciding.decide, deciding.localRoom, deciding.isUp, deciding.staleMs
local carryOut, beginLocal, refuse, foundNoRoom =
  carrying.carryOut, carrying.beginLocal, carrying.refuse, carrying.foundNoRoom

-- A call of this node's own users.
core.register_action("enter", { "http-req" }, function(txn)
  local key = txn:get_var("txn.key")
  local plan, at = planOf(key), now()
  if plan == nil then
    txn:set_var("txn.hint", hint(key, at))
    return refuse(txn, "unknown-function", 404)
  end
  local live = followed(key, at)
  live.entered = live.entered + 1
  if not timed(txn, plan, at) then return end
  if plan.reject > 0 and math.random() < plan.reject then return refuse(txn, "full", 503) end
  local decision = decide(txn, key, plan, live, {}, 0, at)
  if decision.kind ~= "serve" then foundNoRoom(live, localRoom(txn, key, plan, live, at)) end
  carryOut(txn, key, plan, live, decision, at)
end)

-- A call that a peer sent: it runs here, or it is refused at once.
core.register_action("admit", { "http-req" }, function(txn)
  local key, from = txn:get_var("txn.key"), txn:get_var("txn.peer")
  local plan = planOf(key)
  if plan == nil then return refuse(txn, "unknown-function", 404) end
  local live, at = liveOf(key), now()
  live.receivedCount[from] = (live.receivedCount[from] or 0) + 1
  if not timed(txn, plan, at) then return end
  if node().draining then return refuse(txn, "draining", 503) end
  local limit = plan.admission[from] or plan.others
  local count = function() return running(txn, "t_flow", key .. "<" .. from) end
  if not within(limit, count, live.received[from], at) then
    return refuse(txn, limit.rate and "over-rate" or "full", 429)
  end
  local room = localRoom(txn, key, plan, live, at)
  if room == "yes" then return beginLocal(txn, plan, live, from, at) end
  foundNoRoom(live, room)
  if room == "none" then return refuse(txn, plan.nobody, 503, plan) end
  if room == "slots" then return refuse(txn, "full", 503) end
  refuse(txn, room == "limit" and "full" or "over-rate", 429)
end)

local function anyUp(txn, plan)
  for _, replica in ipairs(plan.replicas) do
    if isUp(txn, plan.slot .. "/" .. replica) then return true end
  end
  return false
end

local function hexOf(text)
  return ((text or ""):gsub(".", function(byte) return string.format("%02x", byte:byte()) end))
end

-- What the waiting room needs to know of a call that must wait.
local function facts(txn, key, plan, live)
  local width = plan.max > 0 and math.min(plan.max, node().slots) or node().slots
  local starting = #plan.replicas == 0 and canStart(plan)
  local vain = plan.problem
  for _, share in ipairs(plan.shares) do
    local peer = peerOf(share.id)
    width = width + peer.slots
    if share.weight > 0 then vain = nil end
    local there = peer.functions[key]
    starting = starting or (there ~= nil and there.replicas == 0 and running(txn, "t_peer", share.id) > 0)
  end
  txn:set_var("txn.facts", string.format("queue=%d&width=%d&service=%d&running=%d&starting=%d&vain=%s",
    plan.queue, width, math.floor(live.serviceMs), running(txn, "t_function", key), starting and 1 or 0, hexOf(vain)))
end

-- A call that was here before: it waited, holds its room, or a peer did not take it.
core.register_action("again", { "http-req" }, function(txn)
  local key = txn:get_var("txn.key")
  local plan = planOf(key)
  if plan == nil then return refuse(txn, "unknown-function", 404) end
  local at = now()
  local live = followed(key, at)
  facts(txn, key, plan, live)
  if not timed(txn, plan, at) then return end
  if txn:get_var("txn.held") == 1 then
    txn:set_var("txn.slot", plan.slot)
    if anyUp(txn, plan) then return txn:set_var("txn.act", "run") end
    if #plan.replicas > 0 or canStart(plan) then
      refuse(txn, "no-replica", 503)
      return txn:set_var("txn.act", "wait")
    end
    -- None will come. A call of a peer runs here or nowhere; others are decided anew.
    if txn:get_var("txn.received") == 1 then return refuse(txn, plan.nobody, 503, plan) end
    txn:set_var("txn.facts", txn:get_var("txn.facts") .. "&stranded=1")
  end
  local tried, count = {}, 0
  for _, id in ipairs(list(txn:get_var("txn.tried"))) do
    if plannedPeer(id) ~= nil then
      tried[id], count = true, count + 1
      local there = thereOf(peerOf(id), key)
      there.closedUntil = math.max(there.closedUntil, at + staleMs)
    end
  end
  carryOut(txn, key, plan, live, decide(txn, key, plan, live, tried, count, at), at)
end)
