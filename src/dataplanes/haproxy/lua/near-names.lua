-- near-names.ts: which functions a caller may have meant who asked for one that there is not.

local keys = require("entries").keys
local tokensAt = require("live").tokensAt

-- Strangers may ask for names without end, and comparing is work: so many pairs of letters in a second.
local perSecond, pairsForEach = 200000, 10
local mostCompared, longest, mostNamed = 500, 64, 3

local budget

-- The fewest letters too many, too few, exchanged or another: optimal string alignment.
local function slips(from, to)
  local a, b = { from:byte(1, -1) }, { to:byte(1, -1) }
  local width, beforeLast, last = #b, {}, {}
  for j = 0, width do last[j] = j end
  for i = 1, #a do
    local letter, letterBefore, left = a[i], a[i - 1], i
    local row = { [0] = i }
    for j = 1, width do
      local other = b[j]
      local least = last[j - 1]
      if letter ~= other then
        least = least + 1
        if letterBefore == other and letter == b[j - 1] and beforeLast[j - 2] < least then least = beforeLast[j - 2] + 1 end
        if last[j] < least then least = last[j] + 1 end
        if left < least then least = left + 1 end
      end
      row[j], left = least, least
    end
    beforeLast, last = last, row
  end
  return last[width]
end

local function split(key) return key:match("^(.*)%.([^.]*)$") end

-- The nearest ones, and how many pairs of letters were compared to find them.
local function nearest(name, namespace)
  local most = math.max(1, #name // 3)
  local found, compared, cost = {}, 0, 0
  for key in keys() do
    local other, where = split(key)
    cost = cost + pairsForEach
    if where == namespace and #other <= longest then
      compared = compared + 1
      -- So many letters are missing at the least.
      if math.abs(#other - #name) <= most then
        cost = cost + #other * #name
        local count = slips(name:lower(), other:lower())
        if count <= most then found[#found + 1] = { name = other, slips = count, place = compared } end
      end
      if compared == mostCompared then break end
    end
  end
  table.sort(found, function(one, other)
    return one.slips < other.slips or one.slips == other.slips and one.place < other.place
  end)
  return found, cost
end

-- ` Did you mean a, b or c?`; empty where nothing is near, or none was looked for.
local function hint(key, at)
  local name, namespace = split(key)
  local left = tokensAt(budget, perSecond, at)
  if name == nil or #name > longest or left <= 0 then return "" end
  local found, cost = nearest(name, namespace)
  budget = { tokens = left - cost, at = at }
  local text = ""
  for index = 1, math.min(mostNamed, #found) do
    local joint = index == 1 and "" or (index == math.min(mostNamed, #found) and " or " or ", ")
    text = text .. joint .. found[index].name
  end
  return text == "" and "" or " Did you mean " .. text .. "?"
end

return { hint = hint }
