#!lua flags=allow-oom
-- The result of a job is written: the job ends, and the lease with it.
-- KEYS[1] prefix; keys: lease leases leased held job, and those `conclude` touches
-- ARGV: fence, reason (for a failed job)
-- Returns the state, or 'lost'
local fence = ARGV[1]
local lease, job, order = look_up(fence)
if lease and (order == 'lost' or order == 'cancel') then drop(fence, lease) end
if not job then return 'lost' end
if job.state == 'running' and all_ended(job) then
  drop(fence, lease)
  conclude(job, job.failed > 0 and 'failed' or 'succeeded', job.failed > 0 and ARGV[2] or '')
end
return job.state
