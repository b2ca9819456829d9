#!lua flags=allow-oom
-- Count a request that shows a key of the gateway.
-- KEYS[1] prefix; keys: key_rate
-- ARGV: id of the key, most requests in a minute
-- Returns 0, or the milliseconds after which the next request is within the limit
local MINUTE_MS = 60000
check_numbers(2)
local name, step = key('key_rate', ARGV[1]), MINUTE_MS / math.max(1, tonumber(ARGV[2]))
-- A bucket that fills by one request every `step`; when it is full tells how full it is now.
local full = math.max(now, tonumber(redis.call('GET', name)) or 0) + step
if full - now > MINUTE_MS then return math.ceil(full - now - MINUTE_MS) end
redis.call('SET', name, string.format('%.3f', full), 'PX', math.ceil(full - now))
return 0
