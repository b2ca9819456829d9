#!lua flags=allow-oom
-- Remove the record of a job that has ended, which is about to be entered again. Its idempotency key stays its own.
-- Whoever still holds slices of it has lost them.
-- KEYS[1] prefix; keys: old expiries job jobs retry attempts done failers units job_leases events, and those
--         `void_lease` touches
-- ARGV: id
-- Returns 1 if it was removed, 0 if there is none or it has not ended
local job = read_job(ARGV[1])
if not job or is_alive(job) then return 0 end
void_leases_of(job.id)
redis.call('ZREM', key('old'), job.id)
remove_job(job.id, job.state)
return 1
