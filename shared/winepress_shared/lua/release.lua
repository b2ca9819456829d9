-- A worker gives the rest of a slice back; no attempt is counted. Optionally parks the lane.
-- KEYS[1] prefix; keys: lease leases held parked and everything `end_lease` touches
-- ARGV: fence, holder, park for (ms, 0 is not), reason
local fence = ARGV[1]
local lease = read(key('lease', fence))
redis.call('SREM', key('held', ARGV[2]), fence)
if not lease then return end
if tonumber(ARGV[3]) > 0 then
  redis.call('SET', key('parked', lease.lane), ARGV[4], 'PX', ARGV[3])
end
end_lease(fence, lease, false, 0)
