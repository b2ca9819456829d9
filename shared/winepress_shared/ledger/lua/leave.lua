#!lua flags=allow-oom
-- A worker stops: end its leases at once, requeue their units, and forget the worker.
-- KEYS[1] prefix; keys: workers lost worker lane_workers renderer warm_workers warm_models processes held lease
--         leases, and those `requeue_lease` touches
-- ARGV: worker
local worker = ARGV[1]
for _, holder in ipairs(redis.call('SMEMBERS', key('processes', worker))) do end_process(worker, holder) end
forget_worker(worker)
redis.call('ZREM', key('lost'), worker)
redis.call('DEL', key('processes', worker))
