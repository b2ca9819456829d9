#!lua flags=allow-oom
-- May this worker load a model now? One does at a time, so that a cold lane is not loaded by all.
-- KEYS[1] prefix; keys: loading loads workers
-- ARGV: worker, name of the model, the mark lasts for (ms), a worker is alive when it has beaten
--       within (ms)
-- Returns 1 when it may, and is marked; 0 when another live one does.
local worker, name = ARGV[1], ARGV[2]
local other = redis.call('GET', key('loading', name))
if other and other ~= worker then
  local seen = tonumber(redis.call('ZSCORE', key('workers'), other))
  if seen and now - seen <= tonumber(ARGV[4]) then return 0 end
end
local before = redis.call('GET', key('loads', worker))
if before and before ~= name and redis.call('GET', key('loading', before)) == worker then
  redis.call('DEL', key('loading', before)) -- it marks one at a time
end
redis.call('SET', key('loading', name), worker, 'PX', ARGV[3])
redis.call('SET', key('loads', worker), name, 'PX', ARGV[3])
return 1
