#!lua flags=no-writes
-- The state of the whole farm at this moment.
-- KEYS[1] prefix; keys: lanes parked paused lane_workers leases lease workers lost worker
--         renderer loading_model blocked jobs job
-- ARGV: most workers returned, most jobs of a kind, a worker is gone without a heartbeat within (ms)
-- Returns JSON: now (ms); lanes, those with waiting or leased units: lane, ready, units waiting;
--         workers, how many serve it; parked, why it is, or ''; pauses, names in `paused`;
--         worker_count; workers: name, seen (ms), facts and renderer, the descriptions of it and of its
--         rendering process (JSON or ''), loading, the model it is loading or '', blocked, lane and
--         when that ends (ms) for each lane in which it is blocked ...; lost, workers that did not
--         leave and are gone: name, seen (ms); slices: holder, job, lane,
--         unit in progress or '', step, steps, units that have not ended; running and queued, how many jobs
--         are; jobs: id, row (names and values); those that run, the newest first, those that are queued,
--         the oldest first, then the newest of all
local most_workers, most_jobs = tonumber(ARGV[1]), tonumber(ARGV[2])
check_numbers(1, 2, 3)

local lanes, is_listed = {}, {}
local function add_lane(lane, ready)
  if is_listed[lane] then return end
  is_listed[lane] = true
  lanes[#lanes + 1] = {lane = lane, ready = amount(ready),
    workers = redis.call('SCARD', key('lane_workers', lane)),
    parked = redis.call('GET', key('parked', lane)) or ''}
end

local waiting = redis.call('HGETALL', key('lanes'))
for i = 1, #waiting, 2 do add_lane(waiting[i], waiting[i + 1]) end

local slices = {}
for _, fence in ipairs(redis.call('ZRANGE', key('leases'), 0, -1)) do
  local lease, units = read(key('lease', fence)), 0
  if lease and lease.lane and lease.open then
    each_range(lease.open, function(first, last) units = units + last - first + 1 end)
  end
  if units > 0 then
    add_lane(lease.lane, 0)
    slices[#slices + 1] = {holder = lease.holder or '', job = lease.job or '', lane = lease.lane,
      unit = lease.at or '', step = amount(lease.step), steps = amount(lease.steps), units = amount(units)}
  end
end

local since, workers = now - tonumber(ARGV[3]), {}
local names = redis.call('ZRANGEBYSCORE', key('workers'), since, '+inf')
table.sort(names)
for i = 1, math.min(#names, most_workers) do
  local name = names[i]
  workers[#workers + 1] = {name = name,
    seen = math.min(now, tonumber(redis.call('ZSCORE', key('workers'), name))),
    facts = redis.call('GET', key('worker', name)) or '',
    renderer = redis.call('GET', key('renderer', name)) or '',
    loading = redis.call('GET', key('loading_model', name)) or '',
    blocked = redis.call('ZRANGEBYSCORE', key('blocked', name), now, '+inf', 'WITHSCORES')}
end

local lost = {}
local function add_lost(name_of_set, before)
  local found = redis.call('ZRANGEBYSCORE', key(name_of_set), '-inf', before, 'WITHSCORES', 'LIMIT', 0, most_workers)
  for i = 1, #found, 2 do lost[#lost + 1] = {name = found[i], seen = amount(found[i + 1])} end
end
add_lost('lost', '+inf')
add_lost('workers', '(' .. string.format('%.0f', since)) -- only live workers sweep

local jobs, is_told = {}, {}
local function add_jobs(ids)
  for _, id in ipairs(ids) do
    local row = redis.pcall('HGETALL', key('job', id))
    if not is_told[id] and not row.err then jobs[#jobs + 1] = {id = id, row = row} end
    is_told[id] = true
  end
end
if most_jobs > 0 then
  add_jobs(redis.call('ZREVRANGE', key('jobs', 'running'), 0, most_jobs - 1))
  add_jobs(redis.call('ZRANGE', key('jobs', 'queued'), 0, most_jobs - 1))
  add_jobs(redis.call('ZREVRANGE', key('jobs'), 0, most_jobs - 1))
end

return cjson.encode({now = now, lanes = lanes, pauses = redis.call('HKEYS', key('paused')),
  worker_count = #names, workers = workers, lost = lost, slices = slices,
  running = redis.call('ZCARD', key('jobs', 'running')),
  queued = redis.call('ZCARD', key('jobs', 'queued')), jobs = jobs})
