#!lua flags=allow-oom
-- Record the progress of a unit and return the directive for its slice. A report after the unit's end changes
-- nothing, and one of a step that is known makes no event.
-- KEYS[1] prefix; keys: lease job paused watched events
-- ARGV: fence, unit, step, steps, how long ago the step was done (ms)
-- Returns {'ok' | 'lost' | 'cancel' | 'yield', 1 if somebody watches the steps, else 0}
check_numbers(2, 3, 4, 5)
local fence, unit, step, steps = unpack(ARGV)
local lease, job, directive = look_up_directive(fence)
if not job then return {directive, 0} end
if without(lease.open, tonumber(unit)) then
  local is_news = lease.step ~= tonumber(step) or lease.steps ~= tonumber(steps)
  redis.call('HSET', key('lease', fence), 'step', step, 'steps', steps,
    'step_at', now - math.max(0, tonumber(ARGV[5])))
  if is_news and (directive == 'ok' or directive == 'yield') then
    event(job, 'progress', 'unit', unit, 'step', step, 'steps', steps, 'done', job.done,
      'units', job.units)
  end
end
return {directive, is_watched(job) and 1 or 0}
