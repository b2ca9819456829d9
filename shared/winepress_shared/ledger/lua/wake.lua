#!lua flags=allow-oom
-- End the blocking read of one that reads the events of many jobs: it has more to read.
-- KEYS[1] prefix; keys: wake
-- ARGV: name of the reader, time to live (ms)
local calls = key('wake', ARGV[1])
redis.call('XADD', calls, 'MAXLEN', 1, '*', 'at', now)
redis.call('PEXPIRE', calls, ARGV[2])
