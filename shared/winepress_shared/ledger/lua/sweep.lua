#!lua flags=allow-oom
-- Reconcile: expired leases, due retries, deadlines, old jobs, workers that are gone.
-- KEYS[1] prefix; keys: swept leases lease due expiries old workers lost worker lane_workers renderer
--         warm_workers warm_models job jobs retry attempts done units job_leases events lanes parked
--         paused, those `requeue_lease` and `end_job` touch, and the broker's lists of the lanes
-- ARGV: least time between two sweeps (ms), lease time to live (ms), most attempts,
--       a worker is gone after (ms), prefix of the broker's queues
-- Returns nil if the last sweep was too recent, else {lane, units waiting, tickets queued} of
-- every lane that has work and is neither parked nor paused.
local MOST_LOST = 1000 -- workers whose silence is remembered
check_numbers(1, 2, 3, 4)
local least, ttl, limit = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local gone_before = now - tonumber(ARGV[4])
local last = tonumber(redis.call('GET', key('swept'))) or 0
if not is_sweep_due(last, least) then return nil end
redis.call('SET', key('swept'), now)

local function each_due(zset, act)
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', key(zset), '-inf', now, 'LIMIT', 0, 500)) do
    redis.call('ZREM', key(zset), member)
    act(member)
  end
end

-- After a long time without sweeps the broker may have been down, without heartbeats: renew every lease in
-- full, and keep every worker as long before it is forgotten. The heartbeat interval is a sixth of that.
if last > 0 and now - last > ttl / 2 then
  for _, fence in ipairs(redis.call('ZRANGE', key('leases'), 0, -1)) do
    redis.call('ZADD', key('leases'), now + ttl, fence)
  end
  for _, worker in ipairs(redis.call('ZRANGE', key('workers'), 0, -1)) do
    redis.call('ZADD', key('workers'), 'GT', gone_before + ttl, worker)
  end
end
each_due('leases', function(fence)
  local lease = read(key('lease', fence))
  if lease then
    local in_company = is_in_company(lease)
    void_lease(fence, lease)
    requeue_lease(lease, limit, in_company)
  end
end)
each_due('due', function(id)
  local job = read_job(id)
  if job then place_job(job) end
end)
each_due('expiries', function(id)
  local job = read_job(id)
  if job and is_alive(job) then end_job(job, 'expired', 'its deadline passed') end
end)
each_due('old', function(id)
  local job = read_job(id)
  void_leases_of(id)
  remove_job(id, job and job.state)
end)
local gone = redis.call('ZRANGEBYSCORE', key('workers'), '-inf', gone_before, 'WITHSCORES')
for i = 1, #gone, 2 do
  redis.call('ZADD', key('lost'), gone[i + 1], gone[i])
  forget_worker(gone[i])
end
redis.call('ZREMRANGEBYSCORE', key('lost'), '-inf', now - FORGET_MS)
redis.call('ZREMRANGEBYRANK', key('lost'), 0, -MOST_LOST - 1)

local open, lanes = {}, redis.call('HGETALL', key('lanes'))
for i = 1, #lanes, 2 do
  if not is_closed(lanes[i]) then
    open[#open + 1] = {lanes[i], tonumber(lanes[i + 1]), redis.call('LLEN', ARGV[5] .. lanes[i])}
  end
end
return open
