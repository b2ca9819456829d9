-- A worker begins one unit of its slice: the attempt is counted before the work is done.
-- KEYS[1] prefix; keys: lease job attempts
-- ARGV: fence, unit
-- Returns 'ok' | 'lost' | 'cancel' | 'yield'
local lease = read(key('lease', ARGV[1]))
local job = lease and read_job(lease.job)
if not job then return 'lost' end
if job.state ~= 'running' then return 'cancel' end
if job.paused == 1 then return 'yield' end
redis.call('HINCRBY', key('attempts', job.id), ARGV[2], 1)
redis.call('HSET', key('lease', ARGV[1]), 'at', ARGV[2], 'step', 0, 'step_at', now)
event(job.id, 'unit-started', 'unit', ARGV[2], 'holder', lease.holder)
return 'ok'
