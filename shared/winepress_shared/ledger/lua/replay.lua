#!lua flags=allow-oom
-- Deliver again, at once, under the same message id.
-- KEYS[1] prefix; keys: outbox delivery
-- ARGV: delivery
-- Returns whether it is known
local name = key('delivery', ARGV[1])
if redis.call('EXISTS', name) == 0 then return 0 end
redis.call('ZADD', key('outbox'), now, ARGV[1])
redis.call('HSET', name, 'state', 'waiting', 'tries', 0)
redis.call('PEXPIRE', name, KEPT_MS)
return 1
