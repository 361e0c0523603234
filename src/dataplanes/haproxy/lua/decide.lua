-- routing/decide.ts for one request at a time: here, at which peer, later, or not at all.

local entries, state = require("entries"), require("live")
local node, plannedPeer = entries.node, entries.plannedPeer
local canStart, peerOf, running, tokensAt, within = state.canStart, state.peerOf, state.running, state.tokensAt, state.within

local maxTries, choices = 2, 3
local coldLoad, rttWeight, startWeight, tieWeight, staleMs = 0.8, 0.25, 0.02, 0.05, 50

local function localRoom(txn, key, plan, live, at)
  if #plan.replicas == 0 and not canStart(plan) then return "none" end
  if running(txn, "t_node", "node") >= node().slots then return "slots" end
  if plan.max > 0 and running(txn, "t_function", key) >= plan.max then return "limit" end
  if plan.rate > 0 and tokensAt(live.rate, plan.rate, at) < 1 then return "rate" end
  return "yes"
end

local function isUp(txn, server)
  local known, up = pcall(function() return txn.f:srv_is_up(server) end)
  return known and (up == 1 or up == true)
end

local function loadOf(txn, key, id, peer, live, at)
  if peer.slots <= 0 then return math.huge end
  local over = math.max(0, math.floor((at - peer.reportedAt) / math.max(staleMs, live.serviceMs)))
  local load = math.max(peer.inFlight + peer.sentSince - over, running(txn, "t_peer", id)) / peer.slots
  local there = peer.functions[key]
  if there == nil or there.limit <= 0 then return load end
  local mine = running(txn, "t_flow", key .. ">" .. id)
  return math.max(load, math.max(there.inFlight + there.sentSince - over, mine) / there.limit)
end

local function openPeers(txn, key, plan, live, tried, at)
  local open = {}
  for _, share in ipairs(plan.shares) do
    if share.weight > 0 and not tried[share.id] then
      local there = peerOf(share.id).functions[key]
      local closed = there ~= nil and there.closedUntil > at
      local count = function() return running(txn, "t_flow", key .. ">" .. share.id) end
      if not closed and within(share.limit, count, live.sent[share.id], at) and isUp(txn, "peers/" .. share.id) then
        open[#open + 1] = share
      end
    end
  end
  return open
end

local function withRoom(txn, key, open, live, at)
  local found = {}
  for _, share in ipairs(open) do
    if loadOf(txn, key, share.id, peerOf(share.id), live, at) < 1 then found[#found + 1] = share end
  end
  return found
end

local function draw(shares)
  if #shares <= choices then return shares end
  local drawn = {}
  while #drawn < choices do
    local total, index = 0, #shares
    for _, share in ipairs(shares) do total = total + share.weight end
    local point = math.random() * total
    for place, share in ipairs(shares) do
      point = point - share.weight
      if point < 0 then index = place break end
    end
    drawn[#drawn + 1] = table.remove(shares, index)
  end
  return drawn
end

local function leastLoaded(txn, key, open, live, at)
  local serviceMs, best, bestScore = math.max(1, live.serviceMs), nil, math.huge
  for _, share in ipairs(draw(withRoom(txn, key, open, live, at))) do
    local peer, planned = peerOf(share.id), plannedPeer(share.id)
    local load = loadOf(txn, key, share.id, peer, live, at)
    local there = peer.functions[key]
    local start = there ~= nil and there.replicas == 0 and startWeight or 0
    local rtt = planned and planned.rtt or 0
    local score = math.max(load, coldLoad) + start + rttWeight * rtt / serviceMs + tieWeight * load
    if score < bestScore then best, bestScore = share, score end
  end
  return best
end

local function leastFar(open, live)
  local best, bestPass = nil, math.huge
  for _, share in ipairs(open) do
    local pass = (live.passes[share.id] or 0) + 1 / share.weight
    if pass < bestPass then best, bestPass = share, pass end
  end
  return best, bestPass
end

local function forwardTo(share, room, plan)
  if share ~= nil then return { kind = "forward", share = share } end
  if node().draining then return { kind = "refuse", reason = "draining", status = 503 } end
  if room == "none" then
    if #plan.shares > 0 then return { kind = "wait", reason = "full", status = 503 } end
    return { kind = "refuse", reason = plan.nobody, status = 503 }
  end
  if room == "slots" then return { kind = "wait", reason = "full", status = 503 } end
  if room == "limit" then return { kind = "wait", reason = "full", status = 429 } end
  if room == "rate" then return { kind = "wait", reason = "over-rate", status = 429 } end
  if plan.weight <= 0 or plan.limit == nil then return { kind = "wait", reason = "full", status = 503 } end
  return { kind = "wait", reason = plan.limit.rate and "over-rate" or "full", status = 429 }
end

local serve = { kind = "serve" }

local function decide(txn, key, plan, live, tried, triedCount, at)
  local room = node().draining and "none" or localRoom(txn, key, plan, live, at)
  if plan.policy ~= "w" and plan.policy ~= "f" and room == "yes" then return serve end
  local here = function() return running(txn, "t_function", key) end
  if plan.policy == "f" and room == "yes" and plan.weight > 0 and within(plan.limit, here, live.own, at) then
    return serve
  end
  local open = {}
  if plan.hops > 0 and triedCount < maxTries then open = openPeers(txn, key, plan, live, tried, at) end
  if plan.policy == "w" then
    local share, pass = leastFar(open, live)
    local mine = plan.weight > 0 and (live.passes.here or 0) + 1 / plan.weight
    if room == "yes" and mine and (share == nil or mine <= pass) then return serve end
    return forwardTo(share, room, plan)
  end
  if plan.policy == "f" then return forwardTo(leastFar(open, live), room, plan) end
  if plan.policy == "r" then return forwardTo(withRoom(txn, key, open, live, at)[1], room, plan) end
  return forwardTo(leastLoaded(txn, key, open, live, at), room, plan)
end

return { decide = decide, localRoom = localRoom, isUp = isUp, staleMs = staleMs }
