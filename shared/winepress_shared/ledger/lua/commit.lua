#!lua flags=allow-oom
-- Count a unit whose object exists, once and only for the holder of the lease. Units of a chain are counted
-- in order.
-- KEYS[1] prefix; keys: lease leases job_leases held job done units attempts failers disproved
--         drew blocked open open_by_user events counted_pictures, and those `place_job` touches
-- ARGV: fence, unit, JSON of the output
-- Returns 'ok' | 'moved' (the rest waits in another lane) | 'last' (every unit has ended: write
--         the result, then finish) | 'lost' | 'cancel'
check_numbers(2)
local fence, unit = ARGV[1], tonumber(ARGV[2])
local lease, job, directive = look_up_lease(fence)
if directive == 'lost' or directive == 'cancel' then
  drop_unit(fence, lease, unit)
  return directive
end

local function count_drawn()
  local output, model = decode(ARGV[3]), string.match(lease.lane, '^[^@]+')
  local by = ' ' .. word(model) .. ' ' .. word(output.device)
  local seconds = type(output.render_s) == 'number' and math.min(math.max(0, output.render_s), 1e6) or 0
  count_seconds('work_counts', 'drawn' .. by, PICTURE_S, seconds)
  if lease.lane ~= 'film' then count('work_counts', 'steps' .. by, tonumber(job.cost) or 0) end
end

local rest = without(lease.open, unit)
if rest and job.chained == 1 and unit ~= first_of(lease.open) then return 'lost' end
if rest then
  count_drawn()
  redis.call('SETBIT', key('done', job.id), unit, 1)
  redis.call('HSET', key('units', job.id), unit, ARGV[3])
  redis.call('HDEL', key('attempts', job.id), unit)
  judge_failers(job, unit, lease)
  job.done = job.done + 1
  redis.call('XADD', key('counted_pictures'), 'MAXLEN', '~', COUNTED, '*', 'job', job.id, 'unit', unit, 'sha256',
    string.match(ARGV[3], '"sha256":"(%x+)"') or '')
  count_open(job, 'done', job.done)
  event(job, 'unit-done', 'unit', unit, 'done', job.done, 'units', job.units)
elseif unit < 0 or redis.call('GETBIT', key('done', job.id), unit) == 0 then
  return 'lost'
end
if has_ended(job) then
  redis.call('HSET', key('lease', fence), 'open', '', 'finish', 1)
  return 'last'
end
if rest then keep_rest(fence, lease, rest) end
if job.chained == 1 then place_job(job) end
return job.lane == lease.lane and 'ok' or 'moved'
