#!lua flags=allow-oom
-- Set limits of the farm, if any are given, and return all.
-- KEYS[1] prefix; keys: limits
-- ARGV: name and number of each limit to set ...; '' restores the default
-- Returns name and number (text) of every limit ...
for i = 1, #ARGV, 2 do
  if ARGV[i + 1] == '' then
    redis.call('HDEL', key('limits'), ARGV[i])
  else
    redis.call('HSET', key('limits'), ARGV[i], ARGV[i + 1])
  end
end
local found = {}
for name in pairs(LIMITS) do
  found[#found + 1] = name
  found[#found + 1] = tostring(limit_of(name))
end
return found
