#!lua flags=allow-oom
-- Undo submissions. A pending job is removed, and its id remembered until a worker has made sure that the
-- store asks for no such job. A job that was accepted meanwhile is canceled, and its idempotency key is free.
-- KEYS[1] prefix; keys: idem job jobs pending withdrawn retry attempts done failers units job_leases events old
--         expiries, and those `end_job` and `place_job` touch
-- ARGV: reason, then id/idempotency key (or '') pairs
-- Returns for each 'withdrawn', or the state in which the job has ended
local function withdraw(id, idem)
  local job = read_job(id)
  if job and job.pending ~= 1 then
    if is_alive(job) then end_job(job, 'canceled', ARGV[1]) end
    if idem ~= '' and owner_of_key(job.user, idem) == id then redis.call('DEL', key('idem', job.user, idem)) end
    return job.state
  end
  if job then drop_pending(job) end
  note_withdrawn(id)
  return 'withdrawn'
end

local answers = {}
for i = 2, #ARGV, 2 do answers[#answers + 1] = withdraw(ARGV[i], ARGV[i + 1]) end
return answers
