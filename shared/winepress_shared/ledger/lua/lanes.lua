#!lua flags=allow-oom
-- The information by which a worker chooses between lanes.
-- KEYS[1] prefix; keys: shared_view lanes waits parked paused priority_served lane_served warm_workers
--         loading_model shunned_lane workers worker renderer
-- ARGV: worker, a worker is alive if its last heartbeat is within (ms)
-- Returns {state of the worker's rendering process (JSON or ''), lanes (JSON), the model it
--          is loading or '', a lane to leave to others or '', description of the worker
--          (JSON or '')}; lanes is a list of
--         {lane; units waiting; priority, the highest waiting; urgent, units of that priority;
--          waited_ms since that priority last got a slice or began to wait; longest_ms, the same for the
--          one that has waited longest; idle_ms since any of them got one; holders, live workers that hold
--          its model; loading, live workers that are loading it} for every lane that is neither parked
--         nor paused.
-- All workers see the same lanes, so a large farm caches the view briefly: the cost does not grow with lanes
-- times workers.
local SHARED_MS = 200 -- at most
local WORKERS_PER_MS = 25 -- a view is shared for one millisecond for so many workers
local KEPT_VIEW_MS = 60000 -- what nobody looks at any more is dropped after this
local worker, alive_ms = ARGV[1], tonumber(ARGV[2])

local function count_if(names, is_counted)
  local count = 0
  for _, name in ipairs(names) do if is_counted[name] then count = count + 1 end end
  return count
end

-- The highest priority that waits, since when, and since when the one that has waited longest does.
local function read_priorities(lane)
  local served, priority, since, oldest = redis.call('HGETALL', key('priority_served', lane)), nil, now, now
  for i = 1, #served, 2 do
    local one, at = tonumber(served[i]), tonumber(served[i + 1])
    if not priority or one < priority then priority, since = one, at end
    oldest = math.min(oldest, at)
  end
  return priority or 0, since, oldest
end

local function read_lane(lane, units, served, is_alive, loads)
  local model, urgent = string.match(lane, '^[^@]+'), 0
  local priority, since, oldest = read_priorities(lane)
  for _, waiting in ipairs(redis.call('HVALS', key('waits', lane, priority))) do
    urgent = urgent + tonumber(waiting)
  end
  return {lane = lane, units = units, priority = priority, urgent = urgent, waited_ms = now - since,
    longest_ms = now - oldest, idle_ms = now - math.max(tonumber(served) or 0, oldest),
    holders = count_if(redis.call('SMEMBERS', key('warm_workers', model)), is_alive), loading = loads[model] or 0}
end

local function read_lanes()
  local rows, lanes, names = {}, redis.call('HGETALL', key('lanes')), {}
  if not lanes[1] then return rows end
  for i = 1, #lanes, 2 do names[#names + 1] = lanes[i] end
  local is_alive, loads = {}, {}
  local alive = redis.call('ZRANGEBYSCORE', key('workers'), now - alive_ms, '+inf')
  for _, other in ipairs(alive) do is_alive[other] = true end
  for _, model in ipairs(texts_of('loading_model', alive)) do
    if model then loads[model] = (loads[model] or 0) + 1 end
  end
  local paused, served = read(key('paused')) or {}, read(key('lane_served')) or {}
  for i, parked in ipairs(texts_of('parked', names)) do
    local lane = names[i]
    if not (parked or paused.farm or paused['lane:' .. lane]) then
      rows[#rows + 1] = read_lane(lane, tonumber(lanes[2 * i]), served[lane], is_alive, loads)
    end
  end
  return rows
end

-- The last view says for how long it may be shared.
local function shared_lanes(view)
  local at, shared_ms, text = string.match(view or '', '^(%d+) (%d+) (.*)$')
  if at and now - at >= 0 and now - at < tonumber(shared_ms) then return text end
  local rows = read_lanes()
  text = rows[1] and cjson.encode(rows) or '[]'
  shared_ms = math.min(SHARED_MS, math.floor(redis.call('ZCARD', key('workers')) / WORKERS_PER_MS))
  if shared_ms > 1 then
    redis.call('SET', key('shared_view'), string.format('%.0f %d ', now, shared_ms) .. text, 'PX', KEPT_VIEW_MS)
  end
  return text
end

local found = redis.call('MGET', key('renderer', worker), key('loading_model', worker), key('shunned_lane', worker),
  key('worker', worker), key('shared_view'))
return {found[1] or '', shared_lanes(found[5]), found[2] or '', found[3] or '', found[4] or ''}
