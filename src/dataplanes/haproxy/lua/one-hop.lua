-- Headers that one connection names for itself go no further.

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
