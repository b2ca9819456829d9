#!lua flags=allow-oom
-- A worker may have slices of every lane again.
-- KEYS[1] prefix; keys: blocked disproved
-- ARGV: worker
-- Returns the number of lanes in which it was blocked
local count = redis.call('ZCOUNT', key('blocked', ARGV[1]), now, '+inf')
redis.call('DEL', key('blocked', ARGV[1]), key('disproved', ARGV[1]))
return count
