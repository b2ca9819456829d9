#!lua flags=allow-oom
-- Whether this worker may load a model now. One worker at a time may while none holds it, then as many as
-- hold it: so not all workers load for a cold lane, and a hot model spreads in doubling steps.
-- KEYS[1] prefix; keys: loading_workers loading_model warm_workers workers
-- ARGV: worker, name of the model, the mark lasts for (ms), a worker is alive if its last heartbeat is
--       within (ms)
-- Returns 1 and marks the load if it may; 0 if enough other live workers are loading it.
check_numbers(3, 4)
local worker, name, lasts_ms, alive_ms = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])

local function count_alive(names)
  local count = 0
  for i, seen in ipairs(ask_about(names, 'ZMSCORE', key('workers'))) do
    if names[i] ~= worker and seen and now - tonumber(seen) <= alive_ms then count = count + 1 end
  end
  return count
end

local loaders, ended = key('loading_workers', name), string.format('%.0f', now)
local loading = count_alive(redis.call('ZRANGEBYSCORE', loaders, '(' .. ended, '+inf'))
if loading > 0 and loading >= count_alive(redis.call('SMEMBERS', key('warm_workers', name))) then return 0 end
local before = redis.call('GET', key('loading_model', worker))
if before and before ~= name then redis.call('ZREM', key('loading_workers', before), worker) end -- one at a time
redis.call('ZREMRANGEBYSCORE', loaders, '-inf', ended)
redis.call('ZADD', loaders, now + lasts_ms, worker)
redis.call('PEXPIRE', loaders, lasts_ms)
redis.call('SET', key('loading_model', worker), name, 'PX', lasts_ms)
return 1
