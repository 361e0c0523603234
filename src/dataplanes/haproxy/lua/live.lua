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
      entered = 0, served = 0, ran = 0, ranMs = 0, quick = 0, quickTotal = 0, followedAt = 0, full = 0, limit = 0, receivedCount = {}, forwarded = {}, rejected = {},
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

-- Whether somebody is there who starts replicas; the waiting room says so. While nobody is, calls that need a start go to the
-- peers that may be asked (`withoutStarts` in routing/plan.ts).
local attended = true

local function attend(yes) attended = yes end

local function canStart(plan) return plan.canStart and (attended or not plan.elsewhere) end

local function running(txn, table_, key) return txn.c:table_conn_cur(key, table_) or 0 end

local function current(table_, key)
  local found = core.backends[table_].stktable:lookup(key)
  if found == nil then return 0, 0, 0, 0 end
  return found.conn_cur or 0, found.gpc0 or 0, found.gpc1 or 0, found.gpt0 or 0
end

-- The mean of one call follows each by a tenth.
local function tookMs(live, ms, calls)
  local kept = live.serviceMs == 0 and 0 or 0.9 ^ calls
  live.serviceMs = live.serviceMs * kept + ms / calls * (1 - kept)
end

-- Calls that HAProxy placed by itself are counted by it; their time in tenths of a millisecond.
local function follow(key, live, at)
  local inFlight, entered, served, total = current("t_function", key)
  -- The sum has 32 bits; all begins again where nothing was called for weeks.
  if served < live.quick then live.quick, live.quickTotal = 0, 0 end
  local calls, ms = served - live.quick, (total - live.quickTotal) % 4294967296 / 10
  if calls > 0 then tookMs(live, ms, calls) end
  live.ranMs = live.ranMs + ms
  live.quick, live.quickTotal, live.followedAt = served, total, at
  return inFlight, entered, served
end

-- Often enough for whoever decides by how long calls take.
local followMs = 100

local function followed(key, at)
  local live = liveOf(key)
  if at - live.followedAt >= followMs then follow(key, live, at) end
  return live
end

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
  attend = attend, canStart = canStart, current = current, follow = follow, followed = followed, tookMs = tookMs,
  running = running, tokensAt = tokensAt, taken = taken, within = within, reported = reported,
}
