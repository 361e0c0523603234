-- What HAProxy is told to do, as `entries.ts` writes it into maps, which are changed at run time.

-- Entries whose text was read; plans change slowly, and callers cannot add to the maps.
local maxRead = 4096

local folder = os.getenv("SKEIN_MAPS") or "."
local nodeMap = Map.new(folder .. "/node.map", Map._str)
local functionMap = Map.new(folder .. "/functions.map", Map._str)
local backendMap = Map.new(folder .. "/backends.map", Map._str)
local peerMap = Map.new(folder .. "/peers.map", Map._str)

local function limitOf(text)
  if text == nil or text == "-" then return nil end
  return { rate = text:sub(1, 1) == "r", value = tonumber(text:sub(2)) }
end

local function list(text)
  local items = {}
  for item in (text or ""):gmatch("[^,]+") do items[#items + 1] = item end
  return items
end

local function textOf(hex)
  return (hex:gsub("%x%x", function(digits) return string.char(tonumber(digits, 16)) end))
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
    made.problem = raw.b ~= "" and textOf(raw.b) or nil
    made.nobody = made.problem and "start-failed" or "no-replica"
    made.shares, made.admission, made.others = {}, {}, limitOf(raw.ot)
    for _, item in ipairs(list(raw.to)) do
      local id, weight, limit = item:match("^(.-):(.-):(.+)$")
      made.shares[#made.shares + 1] = { id = id, weight = tonumber(weight), limit = limitOf(limit) }
      made.elsewhere = made.elsewhere or made.hops > 0 and tonumber(weight) > 0
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

local function keyAt(backend) return backendMap:lookup(backend) end

-- Of all functions: each has one of the backends that are there, `f0` and on.
local function keys()
  local index = -1
  return function()
    while true do
      index = index + 1
      if core.backends["f" .. index] == nil then return nil end
      local key = keyAt("f" .. index)
      if key ~= nil then return key end
    end
  end
end

-- Of a peer, by the name of its server; nil for one that the plan does not know.
local function plannedPeer(id)
  local text = peerMap:lookup(id)
  return text and fields(text)
end

return { list = list, node = node, planOf = planOf, keys = keys, keyAt = keyAt, plannedPeer = plannedPeer }
