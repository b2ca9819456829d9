#!lua flags=allow-oom
-- Add a note to the events of a job.
-- KEYS[1] prefix; keys: job events
-- ARGV: id, message
local job = read_job(ARGV[1])
if job and is_alive(job) then event(job, 'note', 'message', ARGV[2]) end
