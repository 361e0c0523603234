-- A call's place in a trace (telemetry/trace-context.ts): the same trace, or a new one, with the span of this call as parent.

local pattern = "^(%x%x)%-(" .. ("%x"):rep(32) .. ")%-(" .. ("%x"):rep(16) .. ")%-(%x%x)(.*)$"

local function isId(text) return not text:match("^0+$") end

local function parentOf(text)
  if text == nil then return nil end
  local version, trace, span, flags, more = text:match(pattern)
  if version == nil or version == "ff" or text:sub(1, 55):match("%u") then return nil end
  if more ~= "" and (version == "00" or more:sub(1, 1) ~= "-") then return nil end
  if not isId(trace) or not isId(span) then return nil end
  return { trace = trace, sampled = tonumber(flags, 16) % 2 == 1 }
end

-- Of HAProxy's own generator, which is seeded by chance; Lua's is seeded by the time.
local function digits(txn) return (txn.f:uuid():gsub("-", "")) end

core.register_action("trace", { "http-req" }, function(txn, ratio)
  local parent = parentOf(txn:get_var("txn.trace"))
  local trace = parent and parent.trace or digits(txn)
  local sampled = tonumber(trace:sub(1, 8), 16) < tonumber(ratio) * 4294967296
  if parent ~= nil then sampled = parent.sampled end
  local text = string.format("00-%s-%s-%s", trace, digits(txn):sub(17), sampled and "01" or "00")
  txn:set_var("txn.traced", text)
  txn.http:req_set_header("traceparent", text)
end, 1)
