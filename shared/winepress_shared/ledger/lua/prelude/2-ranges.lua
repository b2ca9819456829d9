-- Part of every script: sets of units as text.

local function each_range(text, act)
  for first, last in string.gmatch(text, '(%d+)%-?(%d*)') do
    first = tonumber(first)
    act(first, tonumber(last) or first)
  end
end

local function range(first, last) return first == last and tostring(first) or first .. '-' .. last end

-- "3-5,9" → {3, 4, 5, 9}
local function units_of(text)
  local units = {}
  each_range(text, function(first, last)
    for unit = first, last do units[#units + 1] = unit end
  end)
  return units
end

local function first_of(text) return tonumber(string.match(text, '^%d+')) end

-- {9, 3, 4, 5} → "3-5,9"
local function text_of(units)
  local ranges, first, last = {}, nil, nil
  table.sort(units)
  for _, unit in ipairs(units) do
    if last and unit ~= last + 1 then
      ranges[#ranges + 1] = range(first, last)
      first = unit
    end
    first, last = first or unit, unit
  end
  if last then ranges[#ranges + 1] = range(first, last) end
  return table.concat(ranges, ',')
end

-- The ranges without one unit; nil if it is not in them.
local function without(text, unit)
  local ranges, found = {}, false
  each_range(text, function(first, last)
    if unit < first or unit > last then
      ranges[#ranges + 1] = range(first, last)
    else
      found = true
      if first < unit then ranges[#ranges + 1] = range(first, unit - 1) end
      if unit < last then ranges[#ranges + 1] = range(unit + 1, last) end
    end
  end)
  return found and table.concat(ranges, ',') or nil
end
