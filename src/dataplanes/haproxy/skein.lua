-- What HAProxy's own rules cannot say: routing/decide.ts and routing/admit.ts for one request at a time, with the load
-- that peers tell, token buckets and strides. What runs is counted by HAProxy (stick tables' conn_cur), which never
-- forgets to count down; here is only read. What to do comes in maps (entries.ts), which are changed at run time.

local maxTries, choices = 2, 3
local coldLoad, rttWeight, startWeight, tieWeight, staleMs = 0.8, 0.25, 0.02, 0.05, 50
local closedMs = 250
-- Entries whose text was read; plans change slowly, and callers cannot add to the maps.
local maxRead = 4096

local folder = os.getenv("SKEIN_MAPS") or "."
local nodeMap = Map.new(folder .. "/node.map", Map._str)
local functionMap = Map.new(folder .. "/functions.map", Map._str)
local peerMap = Map.new(folder .. "/peers.map", Map._str)

local functions, peers = {}, {}

local function now()
  local t = core.now()
  return t.sec * 1000 + t.usec / 1000
end
math.randomseed(math.floor(now() * 1000) % 2147483647)

-- ---- entries of maps

local function limitOf(text)
  if text == nil or text == "-" then return nil end
  return { rate = text:sub(1, 1) == "r", value = tonumber(text:sub(2)) }
end

local function list(text)
  local items = {}
  for item in (text or ""):gmatch("[^,]+") do items[#items + 1] = item end
  return items
end

local read, readCount = {}, 0

local function fields(text)
  local known = read[text]
  if known ~= nil then return known end
  local raw = {}
  for name, value in text:gmatch("([^&=]+)=([^&]*)") do raw[name] = value end
  local made = { slots = tonumber(raw.slots), draining = raw.draining == "1", rtt = tonumber(raw.rtt) }
  if raw.s ~= nil then
    made.slot, made.policy = raw.s, raw.p
    made.weight, made.limit = tonumber(raw.w), limitOf(raw.l)
    made.reject, made.max, made.rate = tonumber(raw.x), tonumber(raw.m), tonumber(raw.v)
    made.queue, made.timeout, made.hops = tonumber(raw.q), tonumber(raw.t), tonumber(raw.h)
    made.canStart, made.replicas = raw.c == "1", list(raw.r)
    made.nobody = raw.b == "1" and "start-failed" or "no-replica"
    made.shares, made.admission, made.others = {}, {}, limitOf(raw.ot)
    for _, item in ipairs(list(raw.to)) do
      local id, weight, limit = item:match("^(.-):(.-):(.+)$")
      made.shares[#made.shares + 1] = { id = id, weight = tonumber(weight), limit = limitOf(limit) }
    end
    for _, item in ipairs(list(raw.ad)) do
      local id, limit = item:match("^(.-):(.+)$")
      made.admission[id] = limitOf(limit)
    end
  end
  if readCount >= maxRead then read, readCount = {}, 0 end
  read[text], readCount = made, readCount + 1
  return made
end

local function node()
  local text = nodeMap:lookup("node")
  return text and fields(text)
end

local function planOf(key)
  local text = key and functionMap:lookup(key)
  return text and fields(text)
end

-- ---- what is known at this instant

local function liveOf(key)
  local found = functions[key]
  if found == nil then
    found = {
      serviceMs = 0, passes = {}, front = 0, sent = {}, received = {},
      entered = 0, served = 0, ran = 0, ranMs = 0, quickMs = 0, lastTotal = 0, full = 0, limit = 0, receivedCount = {}, forwarded = {}, rejected = {},
    }
    functions[key] = found
  end
  return found
end

local function peerOf(id)
  local found = peers[id]
  if found == nil then
    local text = peerMap:lookup(id)
    local planned = text and fields(text)
    found = { inFlight = 0, slots = planned and planned.slots or 0, reportedAt = 0, sentSince = 0, functions = {} }
    peers[id] = found
  end
  return found
end

local function thereOf(peer, key)
  local found = peer.functions[key]
  if found == nil then
    found = { inFlight = 0, limit = 0, sentSince = 0, closedUntil = 0 }
    peer.functions[key] = found
  end
  return found
end

local function running(txn, table_, key) return txn.c:table_conn_cur(key, table_) or 0 end

local function burst(perSecond)
  if perSecond <= 0 then return 0 end
  return math.max(1, perSecond)
end

local function tokensAt(bucket, perSecond, at)
  if bucket == nil then return burst(perSecond) end
  return math.min(burst(perSecond), bucket.tokens + math.max(0, at - bucket.at) * perSecond / 1000)
end

local function taken(bucket, perSecond, at)
  return { tokens = math.max(0, tokensAt(bucket, perSecond, at) - 1), at = at }
end

local function within(limit, count, bucket, at)
  if limit == nil then return true end
  if limit.rate then return tokensAt(bucket, limit.value, at) >= 1 end
  return count() < limit.value
end

-- ---- deciding

local function localRoom(txn, key, plan, live, at)
  if #plan.replicas == 0 and not plan.canStart then return "none" end
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
    local peer, planned = peerOf(share.id), peerMap:lookup(share.id)
    local load = loadOf(txn, key, share.id, peer, live, at)
    local there = peer.functions[key]
    local start = there ~= nil and there.replicas == 0 and startWeight or 0
    local rtt = planned and fields(planned).rtt or 0
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

-- ---- carrying out

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

local function refuse(txn, reason, status)
  txn:set_var("txn.act", "refuse")
  txn:set_var("txn.reason", reason)
  txn:set_var("txn.status", status)
end

-- ---- the time that a call has

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

local function carryOut(txn, key, plan, live, decision, at)
  if decision.kind == "serve" then return beginLocal(txn, plan, live, nil, at) end
  if decision.kind == "refuse" then return refuse(txn, decision.reason, decision.status) end
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

-- A call of this node's own users.
core.register_action("enter", { "http-req" }, function(txn)
  local key = txn:get_var("txn.key")
  local plan = planOf(key)
  if plan == nil then return refuse(txn, "unknown-function", 404) end
  local live, at = liveOf(key), now()
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
  if room == "none" then return refuse(txn, plan.nobody, 503) end
  if room == "slots" then return refuse(txn, "full", 503) end
  refuse(txn, room == "limit" and "full" or "over-rate", 429)
end)

local function anyUp(txn, plan)
  for _, replica in ipairs(plan.replicas) do
    if isUp(txn, plan.slot .. "/" .. replica) then return true end
  end
  return false
end

-- What the waiting room needs to know of a call that must wait.
local function facts(txn, key, plan, live)
  local width = plan.max > 0 and math.min(plan.max, node().slots) or node().slots
  local starting = #plan.replicas == 0 and plan.canStart
  for _, share in ipairs(plan.shares) do
    local peer = peerOf(share.id)
    width = width + peer.slots
    local there = peer.functions[key]
    starting = starting or (there ~= nil and there.replicas == 0 and running(txn, "t_peer", share.id) > 0)
  end
  txn:set_var("txn.facts", string.format("queue=%d&width=%d&service=%d&running=%d&starting=%d",
    plan.queue, width, math.floor(live.serviceMs), running(txn, "t_function", key), starting and 1 or 0))
end

-- A call that was here before: it waited, holds its room, or a peer did not take it.
core.register_action("again", { "http-req" }, function(txn)
  local key = txn:get_var("txn.key")
  local plan = planOf(key)
  if plan == nil then return refuse(txn, "unknown-function", 404) end
  local live, at = liveOf(key), now()
  facts(txn, key, plan, live)
  if not timed(txn, plan, at) then return end
  if txn:get_var("txn.held") == 1 then
    txn:set_var("txn.slot", plan.slot)
      if anyUp(txn, plan) then return txn:set_var("txn.act", "run") end
    local comes = #plan.replicas > 0 or plan.canStart or #plan.shares > 0
    refuse(txn, comes and "no-replica" or plan.nobody, 503)
    if comes then txn:set_var("txn.act", "wait") end
    return
  end
  local tried, count = {}, 0
  for _, id in ipairs(list(txn:get_var("txn.tried"))) do
    if peerMap:lookup(id) ~= nil then
      tried[id], count = true, count + 1
      local there = thereOf(peerOf(id), key)
      there.closedUntil = math.max(there.closedUntil, at + staleMs)
    end
  end
  carryOut(txn, key, plan, live, decide(txn, key, plan, live, tried, count, at), at)
end)

-- ---- answers

local function tookMs(txn, live)
  local took = (txn:get_var("txn.took") or 0) / 1000
  live.serviceMs = live.serviceMs == 0 and took or live.serviceMs * 0.9 + took * 0.1
  return took
end

core.register_action("served", { "http-res" }, function(txn)
  local key = txn:get_var("txn.key")
  if planOf(key) == nil then return end
  local live = liveOf(key)
  local took = tookMs(txn, live)
  live.served = live.served + 1
  -- A quick error says nothing of how long a call takes.
  if txn.f:status() < 500 then live.ran, live.ranMs = live.ran + 1, live.ranMs + took end
end)

core.register_action("sampled", { "http-res" }, function(txn)
  local key = txn:get_var("txn.key")
  if planOf(key) ~= nil then tookMs(txn, liveOf(key)) end
end)

local notRun = {
  full = true, ["over-rate"] = true, ["queue-timeout"] = true, ["no-replica"] = true,
  ["start-failed"] = true, ["unknown-function"] = true, draining = true, ["not-a-peer"] = true,
}

local function reported(peer, key, at, inFlight, slots, there)
  peer.reportedAt, peer.inFlight, peer.slots, peer.sentSince = at, inFlight, slots, 0
  if there == nil then return end
  local known = thereOf(peer, key)
  known.inFlight, known.limit, known.sentSince = there.inFlight, there.limit, 0
  if there.replicas ~= nil then known.replicas = there.replicas end
end

-- A peer answered: its load, and whether it took the call.
core.register_action("heard", { "http-res" }, function(txn)
  local key, id = txn:get_var("txn.key"), txn:get_var("txn.to")
  if peerMap:lookup(id) == nil or planOf(key) == nil then return end
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

-- ---- who a peer is: the Ed25519 key in its certificate, read where the standard puts it

local function der(bytes, at)
  local length, first = bytes:byte(at + 1), at + 2
  if length == nil then return nil end
  if length >= 128 then
    local count, value = length - 128, 0
    if count < 1 or count > 3 then return nil end
    for index = 0, count - 1 do value = value * 256 + (bytes:byte(first + index) or 0) end
    length, first = value, first + count
  end
  return first, first + length
end

local ed25519 = "\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00"

core.register_fetches("peer_key", function(txn)
  local bytes = txn.f:ssl_c_der() or ""
  local inside = der(bytes, 1)
  local at = inside and der(bytes, inside)
  if at == nil then return "none" end
  if bytes:byte(at) == 0xa0 then _, at = der(bytes, at) end
  for _ = 1, 5 do
    if at == nil then return "none" end
    _, at = der(bytes, at)
  end
  if at == nil or bytes:sub(at, at + 11) ~= ed25519 or #bytes < at + 43 then return "none" end
  return (bytes:sub(at + 12, at + 43):gsub(".", function(byte) return string.format("%02x", byte:byte()) end))
end)

-- ---- headers that one connection names for itself

local kept = { close = true, ["keep-alive"] = true, upgrade = true, host = true, ["content-length"] = true, ["transfer-encoding"] = true }

local function dropNamed(http, headers, del)
  local named = headers["connection"]
  if named == nil then return end
  for index = 0, #named do
    for option in (named[index] or ""):gmatch("[^,%s]+") do
      if not kept[option:lower()] then del(http, option:lower()) end
    end
  end
end

core.register_action("one_hop_request", { "http-req" }, function(txn)
  dropNamed(txn.http, txn.http:req_get_headers(), txn.http.req_del_header)
end)
core.register_action("one_hop_answer", { "http-res" }, function(txn)
  dropNamed(txn.http, txn.http:res_get_headers(), txn.http.res_del_header)
end)

-- ---- the agent

local function pairsText(counts)
  local parts = {}
  for name, count in pairs(counts) do parts[#parts + 1] = name .. ":" .. count end
  return table.concat(parts, ",")
end

local function current(table_, key)
  local found = core.backends[table_].stktable:lookup(key)
  if found == nil then return 0, 0, 0, 0 end
  return found.conn_cur or 0, found.gpc0 or 0, found.gpc1 or 0, found.gpt0 or 0
end

-- One line each: `node RUNNING`, `function KEY …`, `peer NAME …`. Forgets what the plan no longer names and is idle.
core.register_cli({ "skein", "observe" }, "skein observe : what the node runs, for its agent", function(applet)
  for key in pairs(core.backends.t_function.stktable:dump()) do
    if planOf(key) ~= nil then liveOf(key) end
  end
  applet:send(string.format("node %d\n", (current("t_node", "node"))))
  for key, live in pairs(functions) do
    -- Calls that HAProxy placed by itself are counted by it.
    local inFlight, entered, served, total = current("t_function", key)
    -- The sum has 32 bits, and begins again where nothing was called for weeks.
    local begun = total < live.lastTotal and live.lastTotal < 2147483648
    live.quickMs = live.quickMs + (begun and total or (total - live.lastTotal) % 4294967296)
    live.lastTotal = total
    applet:send(string.format("function %s running=%d&entered=%d&served=%d&service=%.3f&ran=%d&ranms=%.0f&full=%d&limit=%d&received=%s&forwarded=%s&rejected=%s\n",
      key, inFlight, live.entered + entered, live.served + served, live.serviceMs, live.ran + served, live.ranMs + live.quickMs, live.full, live.limit,
      pairsText(live.receivedCount), pairsText(live.forwarded), pairsText(live.rejected)))
    if planOf(key) == nil and inFlight == 0 then functions[key] = nil end
  end
  for id, peer in pairs(peers) do
    local outstanding = current("t_peer", id)
    applet:send(string.format("peer %s running=%d&slots=%d&outstanding=%d\n", id, peer.inFlight, peer.slots, outstanding))
    if peerMap:lookup(id) == nil and outstanding == 0 then peers[id] = nil end
    for key in pairs(peer.functions) do
      if planOf(key) == nil then peer.functions[key] = nil end
    end
  end
  applet:send("end\n")
end)

-- Forgets what the plan no longer names and is idle.
core.register_cli({ "skein", "forget" }, "skein forget : drops what is known of functions that are gone", function(applet)
  for key in pairs(functions) do
    if planOf(key) == nil and current("t_function", key) == 0 then functions[key] = nil end
  end
  applet:send("\n")
end)

-- `skein hint PEER RUNNING SLOTS KEY:RUNNING:LIMIT:REPLICAS,…`
core.register_cli({ "skein", "hint" }, "skein hint : what a peer said of its load", function(applet, _, _, id, inFlight, slots, there)
  if peerMap:lookup(id or "") ~= nil and tonumber(inFlight) and tonumber(slots) then
    local peer, at = peerOf(id), now()
    reported(peer, nil, at, tonumber(inFlight), tonumber(slots))
    for _, item in ipairs(list(there)) do
      local key, running_, limit, replicas = item:match("^(.-):(%d+):(%d+):(%d+)$")
      if planOf(key) ~= nil then
        local told = { inFlight = tonumber(running_), limit = tonumber(limit), replicas = tonumber(replicas) }
        reported(peer, key, at, tonumber(inFlight), tonumber(slots), told)
      end
    end
  end
  applet:send("\n")
end)
