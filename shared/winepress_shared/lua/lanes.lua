#!lua flags=no-writes
-- What a worker needs to know to choose between lanes.
-- KEYS[1] prefix; keys: lanes parked paused served warm loading workers renderer
-- ARGV: worker, a worker is alive when it has beaten within (ms)
-- Returns what the worker's rendering process says of itself (JSON or ''), then
--         {lane, units waiting, highest band waiting, ms since that band of the lane got a slice or
--          began to wait, the same for whichever band waits longest, live workers but this one that
--          hold its model, 1 when one of them loads it just now} for every lane that is neither parked nor
--         paused.
local worker, alive_ms = ARGV[1], tonumber(ARGV[2])

local function is_alive_elsewhere(other)
  if not other or other == worker then return false end
  local seen = tonumber(redis.call('ZSCORE', key('workers'), other))
  return seen ~= nil and now - seen <= alive_ms
end

local found = {redis.call('GET', key('renderer', worker)) or ''}
local lanes = redis.call('HGETALL', key('lanes'))
for i = 1, #lanes, 2 do
  local lane = lanes[i]
  if not is_closed(lane) then
    local name, served = string.match(lane, '^[^@]+'), redis.call('HGETALL', key('served', lane))
    local band, since, oldest = nil, now, now
    for j = 1, #served, 2 do
      local one, at = tonumber(served[j]), tonumber(served[j + 1])
      if not band or one < band then band, since = one, at end
      oldest = math.min(oldest, at)
    end
    local holders = 0
    for _, other in ipairs(redis.call('SMEMBERS', key('warm', name))) do
      if is_alive_elsewhere(other) then holders = holders + 1 end
    end
    local loading = is_alive_elsewhere(redis.call('GET', key('loading', name)))
    found[#found + 1] = {lane, tonumber(lanes[i + 1]), band or 0, now - since, now - oldest, holders,
      loading and 1 or 0}
  end
end
return found
