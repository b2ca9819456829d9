#!lua flags=allow-oom
-- Record the progress of a unit and return the directive for its slice. A report after the unit's end changes
-- nothing.
-- KEYS[1] prefix; keys: lease job events
-- ARGV: fence, unit, step, steps
-- Returns 'ok' | 'lost' | 'cancel' | 'yield'
check_numbers(2, 3, 4)
local fence, unit, step, steps = unpack(ARGV)
local lease, job, directive = look_up_lease(fence)
if not lease or not without(lease.open, tonumber(unit)) then return directive end
redis.call('HSET', key('lease', fence), 'step', step, 'steps', steps, 'step_at', now)
if directive == 'ok' or directive == 'yield' then
  event(job.id, 'progress', 'unit', unit, 'step', step, 'steps', steps, 'done', job.done,
    'units', job.units)
end
return directive
