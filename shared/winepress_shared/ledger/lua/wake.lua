#!lua flags=allow-oom
-- End a blocking read of the events of many jobs.
-- KEYS[1] prefix; keys: wake
-- ARGV: name of the reader, time to live (ms)
local calls = key('wake', ARGV[1])
redis.call('XADD', calls, 'MAXLEN', 1, '*', 'at', now)
redis.call('PEXPIRE', calls, ARGV[2])
