#!lua flags=allow-oom
-- End a job whose result is written, and its lease.
-- KEYS[1] prefix; keys: lease leases job_leases held job, and those `end_job` touches
-- ARGV: fence, reason (for a failed job)
-- Returns the state, or 'lost'
local fence = ARGV[1]
local lease, job, directive = look_up_lease(fence)
if lease and (directive == 'lost' or directive == 'cancel') then end_lease(fence, lease) end
if not job then return 'lost' end
if job.state == 'running' and has_ended(job) then
  end_lease(fence, lease)
  end_job(job, job.failed > 0 and 'failed' or 'succeeded', job.failed > 0 and ARGV[2] or '')
end
return job.state
