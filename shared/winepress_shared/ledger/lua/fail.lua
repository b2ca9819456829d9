#!lua flags=allow-oom
-- Count a failed attempt at one unit. In a chain the rest of the slice is given back too.
-- KEYS[1] prefix; keys: lease leases job_leases held job retry attempts failers done units events, and
--         those `end_job` touches
-- ARGV: fence, unit (-1: the result itself), class, message, may be tried again 0|1, most attempts,
--       backoff (ms)
-- Returns 'retry' | 'failed' | 'last' (as for commit) | 'lost' | 'cancel'
check_numbers(2, 6, 7)
local fence, unit, class, message = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4]
local limit = ARGV[5] == '1' and tonumber(ARGV[6]) or 0
local lease, job, directive = look_up_lease(fence)
if directive == 'lost' or directive == 'cancel' then
  drop_unit(fence, lease, unit)
  return directive
end

if lease.finish == 1 then
  -- The unit was reported before, and the answer was lost.
  if unit >= 0 and redis.call('GETBIT', key('done', job.id), unit) == 0 then return 'last' end
  end_lease(fence, lease)
  end_job(job, 'failed', 'its result could not be written: ' .. message)
  return 'failed'
end
local rest = without(lease.open, unit)
if not rest then return 'lost' end

local tried = attempts(job, unit) or 0
if tried == 0 or not is_begun(lease, unit) then
  tried = redis.call('HINCRBY', key('attempts', job.id), unit, 1)
end
note_failer(job, unit, lease.holder)
local units = {unit}
if job.chained == 1 then
  units = units_of(lease.open)
  -- The unit it builds on is not stored yet, so it is tried again: next time alone.
  if units[1] ~= unit then limit = tried + 1 end
  rest = ''
end
local answer = tried < limit and 'retry' or 'failed'
if answer == 'retry' then
  requeue_units(job, units, now + tonumber(ARGV[7]) * 2 ^ (tried - 1))
  count('work_counts', 'retried ' .. word(class))
  event(job, 'unit-retry', 'unit', unit, 'class', class, 'message', message)
else
  fail_unit(job, unit, class, message)
end
if has_ended(job) then
  redis.call('HSET', key('lease', fence), 'open', '', 'finish', 1)
  answer = 'last'
else
  keep_rest(fence, lease, rest)
end
place_job(job)
return answer
