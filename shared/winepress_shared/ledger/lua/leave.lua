#!lua flags=allow-oom
-- A worker stops: end its leases at once, requeue their units, and forget the worker. One whose name another has
-- taken meanwhile changes nothing.
-- KEYS[1] prefix; keys: life workers lost worker lane_workers renderer warm_workers warm_models processes held lease
--         leases, and those `requeue_lease` touches
-- ARGV: worker, what names its life or '' (whichever it is)
local worker = ARGV[1]
local life = string.match(redis.call('GET', key('life', worker)) or '', '^%S+')
if ARGV[2] ~= '' and life and life ~= ARGV[2] then return end
for _, holder in ipairs(redis.call('SMEMBERS', key('processes', worker))) do end_process(worker, holder) end
forget_worker(worker)
redis.call('ZREM', key('lost'), worker)
