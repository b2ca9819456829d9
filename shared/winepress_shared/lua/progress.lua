-- A worker reports how far it is with the unit in hand, and learns whether to go on.
-- KEYS[1] prefix; keys: lease job events
-- ARGV: fence, unit, step, steps
-- Returns 'ok' | 'lost' | 'cancel' | 'yield'
local lease = read(key('lease', ARGV[1]))
local job = lease and read_job(lease.job)
if not job then return 'lost' end
redis.call('HSET', key('lease', ARGV[1]), 'step', ARGV[3], 'steps', ARGV[4], 'step_at', now)
event(job.id, 'progress', 'unit', ARGV[2], 'step', ARGV[3], 'steps', ARGV[4],
  'done', job.done, 'units', job.units)
if job.state ~= 'running' then return 'cancel' end
return job.paused == 1 and 'yield' or 'ok'
