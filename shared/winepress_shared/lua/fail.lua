-- An attempt at one unit failed.
-- KEYS[1] prefix; keys: lease leases job retry attempts units due events
-- ARGV: fence, unit, class, message, may be tried again 0|1, most attempts, backoff (ms)
-- Returns 'retry' | 'failed' | 'last' (as for commit) | 'lost' | 'cancel'
local fence, unit = ARGV[1], ARGV[2]
local lease = read(key('lease', fence))
local job = lease and read_job(lease.job)
if not job then return 'lost' end
if job.state ~= 'running' then return 'cancel' end
local tried = tonumber(redis.call('HGET', key('attempts', job.id), unit)) or 1
local answer = 'failed'
local left = redis.call('HINCRBY', key('lease', fence), 'left', -1)
leave(job)
if ARGV[5] == '1' and tried < tonumber(ARGV[6]) then
  redis.call('ZADD', key('retry', job.id), now + tonumber(ARGV[7]) * 2 ^ (tried - 1), unit)
  event(job.id, 'unit-retry', 'unit', unit, 'class', ARGV[3], 'message', ARGV[4])
  answer = 'retry'
else
  fail_unit(job, unit, ARGV[3], ARGV[4])
end
if all_ended(job) then
  redis.call('HSET', key('lease', fence), 'finish', 1)
  redis.call('HSET', key('job', job.id), 'finishing', 1)
  return 'last'
end
if left <= 0 then
  drop_lease(fence, lease, job)
  redis.call('SREM', key('held', lease.holder), fence)
end
if job.chained == 0 or left <= 0 then enter_or_wait(job) end
return answer
