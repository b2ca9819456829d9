#!lua flags=allow-oom
-- Record how a try to deliver ended.
-- KEYS[1] prefix; keys: outbox delivery tries job
-- ARGV: delivery, how: 'delivered' | 'again' | 'failed' | 'unwanted' (failed, and the receiver wants no more),
--       tried again after (ms), the try (JSON)
check_numbers(3)
local delivery, how = ARGV[1], ARGV[2]
if not ({delivered = 1, again = 1, failed = 1, unwanted = 1})[how] then error('refused argument how') end
local found = read(key('delivery', delivery))
if not found then return end
redis.call('RPUSH', key('tries', delivery), ARGV[4])
redis.call('LTRIM', key('tries', delivery), -TRIES, -1)
redis.call('PEXPIRE', key('tries', delivery), KEPT_MS)
redis.call('PEXPIRE', key('delivery', delivery), KEPT_MS)
redis.call('HINCRBY', key('delivery', delivery), 'tries', 1)
count('delivery_counts', 'tries ' .. how)
if how == 'unwanted' then
  how = 'failed'
  redis.call('HDEL', key('job', found.job), 'hooks')
end
-- A deliverer that is late changes nothing: another one has delivered, or a newer message waits.
if found.state == 'delivered' then return end
if how == 'again' then
  redis.call('ZADD', key('outbox'), 'XX', now + ARGV[3], delivery)
elseif found.event == 'completed' then
  redis.call('ZREM', key('outbox'), delivery)
  redis.call('HSET', key('delivery', delivery), 'state', how)
elseif not redis.call('ZSCORE', key('outbox'), delivery) then
  redis.call('HSET', key('delivery', delivery), 'state', how)
end
