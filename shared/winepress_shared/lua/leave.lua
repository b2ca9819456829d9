-- A worker is leaving: hand its leases on at once, and forget it.
-- KEYS[1] prefix; keys: workers worker renderer holders held lease and all `end_lease` touches
-- ARGV: worker
for _, holder in ipairs(redis.call('SMEMBERS', key('holders', ARGV[1]))) do
  for _, fence in ipairs(redis.call('SMEMBERS', key('held', holder))) do
    local lease = read(key('lease', fence))
    if lease then end_lease(fence, lease, false, 0) end
  end
  redis.call('DEL', key('held', holder))
end
redis.call('ZREM', key('workers'), ARGV[1])
redis.call('DEL', key('holders', ARGV[1]), key('worker', ARGV[1]), key('renderer', ARGV[1]))
