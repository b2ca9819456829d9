#!lua flags=allow-oom
-- A worker is leaving: hand its leases on at once, and forget it.
-- KEYS[1] prefix; keys: workers worker serving renderer warm warmed holders held lease leases, and those
--         `hand_on` touches
-- ARGV: worker
local worker = ARGV[1]
for _, holder in ipairs(redis.call('SMEMBERS', key('holders', worker))) do bury(worker, holder) end
forget(worker)
redis.call('DEL', key('holders', worker))
