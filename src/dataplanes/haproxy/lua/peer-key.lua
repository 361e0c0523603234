-- Who a peer is: the Ed25519 key in its certificate, read where the standard puts it.

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
