-- The process behind a worker's leases is gone: hand them on at once instead of at their deadline.
-- KEYS[1] prefix; keys: held lease and everything `end_lease` touches; workers worker
-- ARGV: worker, most attempts, the worker itself is leaving 0|1
-- Returns the number of leases ended
local fences = redis.call('SMEMBERS', key('held', ARGV[1]))
for _, fence in ipairs(fences) do
  local lease = read(key('lease', fence))
  if lease then end_lease(fence, lease, true, tonumber(ARGV[2])) end
end
redis.call('DEL', key('held', ARGV[1]))
if ARGV[3] == '1' then
  redis.call('ZREM', key('workers'), ARGV[1])
  redis.call('DEL', key('worker', ARGV[1]))
end
return #fences
