-- What is known at this instant: counters of functions, what peers told of their load, token buckets. What runs is counted
-- by HAProxy (stick tables' conn_cur), which never forgets to count down; here it is only read.

local plannedPeer = require("entries").plannedPeer

local functions, peers = {}, {}

local function now()
  local t = core.now()
  return t.sec * 1000 + t.usec / 1000
end

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
    local planned = plannedPeer(id)
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

local function reported(peer, key, at, inFlight, slots, there)
  peer.reportedAt, peer.inFlight, peer.slots, peer.sentSince = at, inFlight, slots, 0
  if there == nil then return end
  local known = thereOf(peer, key)
  known.inFlight, known.limit, known.sentSince = there.inFlight, there.limit, 0
  if there.replicas ~= nil then known.replicas = there.replicas end
end

return {
  functions = functions, peers = peers, now = now, liveOf = liveOf, peerOf = peerOf, thereOf = thereOf,
  running = running, tokensAt = tokensAt, taken = taken, within = within, reported = reported,
}
