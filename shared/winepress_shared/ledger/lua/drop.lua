#!lua flags=allow-oom
-- Remove those of some jobs that are pending; nothing of them is in the store.
-- KEYS[1] prefix; keys: job jobs pending open open_by_user retry attempts done failers units job_leases events
-- ARGV: ids
local function drop(id)
  local job = read_job(id)
  if job and job.pending == 1 then drop_pending(job) end
end

for _, id in ipairs(ARGV) do
  pcall(drop, id)
  -- Also without a row, or with a damaged one, which is the operator's: nobody looks after it again and again.
  redis.call('ZREM', key('pending'), id)
end
