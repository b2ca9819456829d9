#!lua flags=allow-oom
-- How many deliveries are due; a process that delivers says that it lives.
-- KEYS[1] prefix; keys: deliverers outbox, and the broker's list of the queue
-- ARGV: process, forget those that were not heard of for (ms), name of the broker's list
-- Returns {deliveries due, tickets queued}
check_numbers(2)
redis.call('ZADD', key('deliverers'), now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', key('deliverers'), '-inf', now - ARGV[2])
return {redis.call('ZCOUNT', key('outbox'), '-inf', now), redis.call('LLEN', ARGV[3])}
