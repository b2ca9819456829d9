-- Say something about a job to whoever watches it.
-- KEYS[1] prefix; keys: job events
-- ARGV: id, message
if redis.call('EXISTS', key('job', ARGV[1])) == 1 then event(ARGV[1], 'note', 'message', ARGV[2]) end
