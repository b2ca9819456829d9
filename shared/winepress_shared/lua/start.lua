#!lua flags=allow-oom
-- A worker begins one unit of its slice: the attempt is counted before the work is done. Units are
-- begun in their order; asking again for the one in hand counts nothing.
-- KEYS[1] prefix; keys: lease job attempts events
-- ARGV: fence, unit
-- Returns 'ok' | 'lost' | 'cancel' | 'yield'
check_numbers(2)
local fence, unit = ARGV[1], tonumber(ARGV[2])
local lease, job, order = look_up(fence)
if order ~= 'ok' then return order end
if not without(lease.open, unit) then return 'lost' end
if not is_begun(lease, unit) then
  redis.call('HINCRBY', key('attempts', job.id), unit, 1)
  redis.call('HSET', key('lease', fence), 'at', unit, 'step', 0, 'step_at', now)
  event(job.id, 'unit-started', 'unit', unit, 'holder', lease.holder)
end
return 'ok'
