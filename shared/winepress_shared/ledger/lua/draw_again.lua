#!lua flags=allow-oom
-- Units that were counted have no object any more: they wait again. A chain is drawn in order, so all of it that
-- was counted after the first of them waits too; what is still in the store is found there and counted.
-- KEYS[1] prefix; keys: job done units retry open open_by_user lease leases job_leases events, and those
--         `place_job` touches
-- ARGV: id, units
-- Returns {state of the job or 'missing', units that wait again}; those of a job that has ended stay as they are
local job = read_job(ARGV[1])
if not job then return {'missing', 0} end
local first, lost = math.huge, {}
for i = 2, #ARGV do
  check_numbers(i)
  local unit = tonumber(ARGV[i])
  if unit < 0 or unit >= job.units then error('refused argument ' .. i) end
  first = math.min(first, unit)
  if job.chained == 0 then lost[#lost + 1] = unit end
end
if not is_alive(job) then return {job.state, 0} end
for unit = first, job.chained == 1 and job.units - 1 or -1 do lost[#lost + 1] = unit end
local counted = {}
for _, unit in ipairs(lost) do
  if redis.call('GETBIT', key('done', job.id), unit) == 1 then counted[#counted + 1] = unit end
end
if not counted[1] then return {job.state, 0} end
-- Whoever draws the rest of a chain, or writes the result, would go on from what is lost.
if job.chained == 1 or has_ended(job) then
  tell_holders(job)
  void_leases_of(job.id)
end
for _, unit in ipairs(counted) do
  redis.call('SETBIT', key('done', job.id), unit, 0)
  redis.call('HDEL', key('units', job.id), unit)
end
job.done = redis.call('HINCRBY', key('job', job.id), 'done', -#counted)
if job.chained == 1 then redis.call('DEL', key('retry', job.id)) end
requeue_units(job, counted, now)
event(job, 'note', 'message', 'gone from the store, to be drawn again: ' .. #counted)
place_job(job)
return {job.state, #counted}
