#!lua flags=allow-oom
-- The information by which a worker chooses between lanes.
-- KEYS[1] prefix; keys: view lanes waits parked paused priority_served lane_served warm_workers warm_models
--         loading_workers loading_model shunned_lane workers worker renderer
-- ARGV: worker, a worker is alive if its last heartbeat is within (ms)
-- Returns {state of the worker's rendering process (JSON or ''), lanes (JSON), the model it
--          is loading or '', a lane to leave to others or '', description of the worker
--          (JSON or ''), names of models it holds ...}; lanes is a list of
--         {lane; units waiting; priority, the highest waiting; urgent, units of that priority;
--          waited_ms since that priority last got a slice or began to wait; longest_ms, the same for the
--          one that has waited longest; idle_ms since any of them got one; holders, live workers that hold
--          its model; loading, live workers that are loading it} for every lane that is neither parked
--         nor paused.
-- All workers see the same lanes, so a large farm caches the view briefly: the cost does not grow with lanes
-- times workers.
local SHARED_MS = 200 -- at most; a fifth of a millisecond per worker
local worker, alive_ms = ARGV[1], tonumber(ARGV[2])

local function read_lanes()
  local alive, rows, lanes = {}, {}, redis.call('HGETALL', key('lanes'))
  if not lanes[1] then return rows end
  local seen = redis.call('ZRANGEBYSCORE', key('workers'), now - alive_ms, '+inf')
  for _, other in ipairs(seen) do alive[other] = true end
  local paused, lane_served = read(key('paused')) or {}, read(key('lane_served')) or {}
  local function count_alive(names)
    local count = 0
    for _, name in ipairs(names) do if alive[name] then count = count + 1 end end
    return count
  end
  for i = 1, #lanes, 2 do
    local lane = lanes[i]
    local is_open = not (paused.farm or paused['lane:' .. lane])
    if is_open and redis.call('EXISTS', key('parked', lane)) == 0 then
      local name, served = string.match(lane, '^[^@]+'), redis.call('HGETALL', key('priority_served', lane))
      local priority, since, oldest = nil, now, now
      for j = 1, #served, 2 do
        local one, at = tonumber(served[j]), tonumber(served[j + 1])
        if not priority or one < priority then priority, since = one, at end
        oldest = math.min(oldest, at)
      end
      local urgent = 0
      for _, units in ipairs(redis.call('HVALS', key('waits', lane, priority or 0))) do
        urgent = urgent + tonumber(units)
      end
      local last = math.max(tonumber(lane_served[lane]) or 0, oldest)
      rows[#rows + 1] = {lane = lane, units = tonumber(lanes[i + 1]), priority = priority or 0,
        urgent = urgent, waited_ms = now - since, longest_ms = now - oldest, idle_ms = now - last,
        holders = count_alive(redis.call('SMEMBERS', key('warm_workers', name))),
        loading = count_alive(redis.call('ZRANGEBYSCORE', key('loading_workers', name), now, '+inf'))}
    end
  end
  return rows
end

local function shared_lanes()
  local shared_ms = math.min(SHARED_MS, redis.call('ZCARD', key('workers')) / 5)
  local at, text = string.match(redis.call('GET', key('view')) or '', '^(%d+) (.*)$')
  if at and now - at >= 0 and now - at < shared_ms then return text end
  local rows = read_lanes()
  text = rows[1] and cjson.encode(rows) or '[]'
  if shared_ms > 1 then
    redis.call('SET', key('view'), string.format('%.0f ', now) .. text, 'PX', SHARED_MS)
  end
  return text
end

return {redis.call('GET', key('renderer', worker)) or '', shared_lanes(),
  redis.call('GET', key('loading_model', worker)) or '', redis.call('GET', key('shunned_lane', worker)) or '',
  redis.call('GET', key('worker', worker)) or '',
  unpack(redis.call('SMEMBERS', key('warm_models', worker)))}
