#!lua flags=allow-oom
-- Accept pending jobs, whose job.json is in the store: from now on claims find them. Of several that were held
-- under one idempotency key the first is accepted, the others are not.
-- KEYS[1] prefix; keys: idem job jobs pending withdrawn expiries workers retry attempts done failers units
--         job_leases events, the broker's lists of the lanes, and those `place_job` touches
-- ARGV: time to live of an idempotency key (ms), prefix of the broker's queues, ids
-- Returns the number of workers, then {answer, id, tickets queued in its lane} for each id:
--         'accepted'; 'earlier', it was accepted before; 'known' or 'conflict', the named job has its key, with
--         the same or with other content; 'missing'; 'withdrawn', its submission was undone; 'damaged'
check_numbers(1)
local function accept(id)
  local job = read_job(id)
  if not job then return {redis.call('ZSCORE', key('withdrawn'), id) and 'withdrawn' or 'missing', id, 0} end
  local answer = 'earlier'
  if job.pending == 1 then
    answer = 'accepted'
    if job.idem then
      local owner, digest = owner_of_key(job.user, job.idem)
      if owner and owner ~= id and not is_pending(owner) then
        drop_pending(job)
        note_withdrawn(id)
        return {digest == job.digest and 'known' or 'conflict', owner, 0}
      end
      take_key(job.user, job.idem, id, job.digest, ARGV[1])
    end
    end_pending(job)
    if job.expires > 0 then redis.call('ZADD', key('expiries'), job.expires, id) end
    place_job(job)
    count_accepted(job, job.units - job.done)
  end
  return {answer, id, redis.call('LLEN', ARGV[2] .. job.lane)}
end

local answers = {redis.call('ZCARD', key('workers'))}
for i = 3, #ARGV do
  -- One damaged row must not keep the others from being accepted.
  local is_read, answer = pcall(accept, ARGV[i])
  answers[#answers + 1] = is_read and answer or {'damaged', ARGV[i], 0}
end
return answers
