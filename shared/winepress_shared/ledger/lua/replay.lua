#!lua flags=allow-oom
-- Deliver again, at once, under the same message id.
-- KEYS[1] prefix; keys: outbox delivery
-- ARGV: delivery, when it was made (ms; empty: whenever)
-- Returns whether it is known
local name = key('delivery', ARGV[1])
local created = redis.call('HGET', name, 'created')
if not created or (ARGV[2] ~= '' and ARGV[2] ~= created) then return 0 end
redis.call('ZADD', key('outbox'), now, ARGV[1])
redis.call('HSET', name, 'state', 'waiting', 'tries', 0)
redis.call('PEXPIRE', name, KEPT_MS)
return 1
