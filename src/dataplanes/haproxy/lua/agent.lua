-- What the agent asks and tells, as commands of the admin socket.

local entries, state = require("entries"), require("live")
local list, keyAt, planOf, plannedPeer = entries.list, entries.keyAt, entries.planOf, entries.plannedPeer
local functions, peers, liveOf, peerOf = state.functions, state.peers, state.liveOf, state.peerOf
local now, reported, current, follow = state.now, state.reported, state.current, state.follow

local function pairsText(counts)
  local parts = {}
  for name, count in pairs(counts) do parts[#parts + 1] = name .. ":" .. count end
  return table.concat(parts, ",")
end

-- One line each: `node RUNNING`, `function KEY …`, `peer NAME …`. Forgets what the plan no longer names and is idle.
core.register_cli({ "skein", "observe" }, "skein observe : what the node runs, for its agent", function(applet)
  for key in pairs(core.backends.t_function.stktable:dump()) do
    if planOf(key) ~= nil then liveOf(key) end
  end
  applet:send(string.format("node %d\n", (current("t_node", "node"))))
  for key, live in pairs(functions) do
    local inFlight, entered, served = follow(key, live, now())
    applet:send(string.format("function %s running=%d&entered=%d&served=%d&service=%.3f&ran=%d&ranms=%.0f&full=%d&limit=%d&received=%s&forwarded=%s&rejected=%s\n",
      key, inFlight, live.entered + entered, live.served + served, live.serviceMs, live.ran + served, live.ranMs, live.full, live.limit,
      pairsText(live.receivedCount), pairsText(live.forwarded), pairsText(live.rejected)))
    if planOf(key) == nil and inFlight == 0 then functions[key] = nil end
  end
  for id, peer in pairs(peers) do
    local outstanding = current("t_peer", id)
    applet:send(string.format("peer %s running=%d&slots=%d&outstanding=%d\n", id, peer.inFlight, peer.slots, outstanding))
    if plannedPeer(id) == nil and outstanding == 0 then peers[id] = nil end
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

-- `skein attend yes` or `no`: whether there is an agent.
core.register_cli({ "skein", "attend" }, "skein attend : whether somebody starts replicas", function(applet, _, _, yes)
  state.attend(yes ~= "no")
  applet:send("\n")
end)

-- `skein timeouts BACKEND,…`: a line for each that a function has, `BACKEND MILLISECONDS`.
core.register_cli({ "skein", "timeouts" }, "skein timeouts : how long calls of a backend may take", function(applet, _, _, backends)
  for _, backend in ipairs(list(backends)) do
    local plan = planOf(keyAt(backend))
    if plan ~= nil then applet:send(string.format("%s %d\n", backend, plan.timeout)) end
  end
  applet:send("\n")
end)

-- `skein hint PEER RUNNING SLOTS KEY:RUNNING:LIMIT:REPLICAS,…`
core.register_cli({ "skein", "hint" }, "skein hint : what a peer said of its load", function(applet, _, _, id, inFlight, slots, there)
  if plannedPeer(id or "") ~= nil and tonumber(inFlight) and tonumber(slots) then
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
