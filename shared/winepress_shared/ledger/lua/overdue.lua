#!lua flags=allow-oom
-- Jobs that were pending for long, and undone submissions: the caller looks for them in the store. Others get
-- them after a while, in case the caller dies meanwhile.
-- KEYS[1] prefix; keys: pending withdrawn
-- ARGV: most of each, time until others get them (ms)
-- Returns {ids of pending jobs, ids of undone submissions}
check_numbers(1, 2)
local function take(name)
  local ids = redis.call('ZRANGEBYSCORE', key(name), '-inf', now, 'LIMIT', 0, ARGV[1])
  for _, id in ipairs(ids) do redis.call('ZADD', key(name), now + ARGV[2], id) end
  return ids
end

return {take('pending'), take('withdrawn')}
