#!lua
-- Store a small picture of an unfinished unit for a short time, replacing the previous one.
-- KEYS[1] prefix; keys: lease job preview events
-- ARGV: fence, unit, step, steps, base64 of a JPEG, time to live (ms)
check_numbers(2, 3, 4, 6)
local fence, unit, step, steps = unpack(ARGV)
local _, job, directive = look_up_lease(fence)
if directive == 'ok' then
  redis.call('SET', key('preview', job.id, unit), step .. ' ' .. steps .. ' ' .. ARGV[5], 'PX', ARGV[6])
  event(job, 'preview', 'unit', unit, 'step', step, 'steps', steps)
end
