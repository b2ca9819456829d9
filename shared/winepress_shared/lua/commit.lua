-- The object of a unit exists: count it, once, and only for the holder of the lease.
-- KEYS[1] prefix; keys: lease leases job done units attempts events
-- ARGV: fence, unit, JSON of the output
-- Returns 'ok' | 'last' (every unit has ended: write the result, then finish) | 'lost' | 'cancel'
local fence, unit = ARGV[1], ARGV[2]
local lease = read(key('lease', fence))
local job = lease and read_job(lease.job)
if not job then return 'lost' end
if job.state ~= 'running' then return 'cancel' end
if redis.call('SETBIT', key('done', job.id), unit, 1) == 0 then
  redis.call('HSET', key('units', job.id), unit, ARGV[3])
  redis.call('HDEL', key('attempts', job.id), unit)
  job.done = redis.call('HINCRBY', key('job', job.id), 'done', 1)
  event(job.id, 'unit-done', 'unit', unit, 'done', job.done, 'units', job.units)
  lease.left = redis.call('HINCRBY', key('lease', fence), 'left', -1)
end
if all_ended(job) then
  redis.call('HSET', key('lease', fence), 'finish', 1)
  redis.call('HSET', key('job', job.id), 'finishing', 1)
  return 'last'
end
if lease.left <= 0 then
  drop_lease(fence, lease, job)
  redis.call('SREM', key('held', lease.holder), fence)
  if job.chained == 1 then enter_or_wait(job) end
end
return 'ok'
