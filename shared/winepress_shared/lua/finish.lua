-- The result of a job is written: the job ends, and the lease with it.
-- KEYS[1] prefix; keys: lease leases held job and everything `conclude` touches
-- ARGV: fence, reason (for a failed job)
-- Returns the state, or 'lost'
local fence = ARGV[1]
local lease = read(key('lease', fence))
local job = lease and read_job(lease.job)
if not job then return 'lost' end
drop_lease(fence, lease, job)
redis.call('SREM', key('held', lease.holder), fence)
if job.state ~= 'running' then return job.state end
conclude(job, job.failed > 0 and 'failed' or 'succeeded', job.failed > 0 and ARGV[2] or '')
return job.state
