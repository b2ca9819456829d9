#!lua flags=allow-oom
-- Take the rest of a slice back from its worker without counting an attempt. Optionally parks the lane.
-- KEYS[1] prefix; keys: lease leases job_leases held parked job failers unread, and those `requeue_lease` touches
-- ARGV: fence, holder, park for (ms, 0: do not), reason, unit that cannot be served in its worker's
--       environment (-1: none; -2: its worker cannot read the job at all)
local UNREAD = -2
check_numbers(3, 5)
local fence, park_ms = ARGV[1], tonumber(ARGV[3])
local lease = read(key('lease', fence))
if not lease then return end
if park_ms > 0 then redis.call('SET', key('parked', lease.lane), ARGV[4], 'PX', park_ms) end
end_lease(fence, lease)
requeue_lease(lease)
local unit, job = tonumber(ARGV[5]), read_job(lease.job)
if job and is_alive(job) and unit == UNREAD then note_unread(job, ARGV[2]) end
if job and is_alive(job) and without(lease.open, unit) then note_failer(job, unit, lease.holder) end
