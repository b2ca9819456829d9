#!lua flags=no-writes
-- What the whole farm does at this moment, in one look.
-- KEYS[1] prefix; keys: lanes parked paused serving leases lease workers worker renderer loads jobs job
-- ARGV: most workers told of, most jobs of a kind, a worker is gone when it has not beaten within (ms)
-- Returns {now (ms), lanes, pauses, number of workers, workers, slices, number of jobs that run and of
--          those that are queued, jobs}:
--          lanes   {lane, units waiting, workers that serve it, why it is parked or ''} of every lane
--                  where units wait or are in hand
--          pauses  names in `paused`
--          workers {name, last beat (ms), what it says of itself, what its rendering process says (JSON
--                  or ''), the model it loads just now or ''}
--          slices  {holder, job, lane, unit in hand or '', step, steps, units that have not ended}
--          jobs    {id, name, value, name, value ...}: the newest that run, the oldest that are queued,
--                  the newest of all; one may be in it twice
local most_workers, most_jobs = tonumber(ARGV[1]), tonumber(ARGV[2])
check_numbers(1, 2, 3)

local lanes, is_listed = {}, {}
local function list_lane(lane, waiting)
  if is_listed[lane] then return end
  is_listed[lane] = true
  lanes[#lanes + 1] = {lane, waiting, redis.call('SCARD', key('serving', lane)),
    redis.call('GET', key('parked', lane)) or ''}
end

local waits = redis.call('HGETALL', key('lanes'))
for i = 1, #waits, 2 do list_lane(waits[i], waits[i + 1]) end

local slices = {}
for _, fence in ipairs(redis.call('ZRANGE', key('leases'), 0, -1)) do
  local lease = read(key('lease', fence))
  local count = 0
  if lease and lease.lane and lease.open then
    each_range(lease.open, function(first, last) count = count + last - first + 1 end)
  end
  if count > 0 then
    list_lane(lease.lane, '0')
    slices[#slices + 1] = {lease.holder or '', lease.job or '', lease.lane, lease.at or '',
      lease.step or 0, lease.steps or 0, count}
  end
end

local since, workers = now - tonumber(ARGV[3]), {}
local seen = redis.call('ZRANGEBYSCORE', key('workers'), since, '+inf', 'WITHSCORES', 'LIMIT', 0, most_workers)
for i = 1, #seen, 2 do
  local name = seen[i]
  workers[#workers + 1] = {name, seen[i + 1], redis.call('GET', key('worker', name)) or '',
    redis.call('GET', key('renderer', name)) or '', redis.call('GET', key('loads', name)) or ''}
end

local jobs = {}
local function list_jobs(ids)
  for _, id in ipairs(ids) do
    local row = redis.pcall('HGETALL', key('job', id))
    if not row.err then jobs[#jobs + 1] = {id, unpack(row)} end
  end
end
list_jobs(redis.call('ZREVRANGE', key('jobs', 'running'), 0, most_jobs - 1))
list_jobs(redis.call('ZRANGE', key('jobs', 'queued'), 0, most_jobs - 1))
list_jobs(redis.call('ZREVRANGE', key('jobs'), 0, most_jobs - 1))

return {now, lanes, redis.call('HKEYS', key('paused')), redis.call('ZCOUNT', key('workers'), since, '+inf'),
  workers, slices, redis.call('ZCARD', key('jobs', 'running')),
  redis.call('ZCARD', key('jobs', 'queued')), jobs}
