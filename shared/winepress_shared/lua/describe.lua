#!lua flags=allow-oom
-- A rendering process says what it holds. What it was loading is loaded, or will not be.
-- KEYS[1] prefix; keys: worker renderer pace warm warmed loading loads
-- ARGV: worker, its description (JSON), names of the models it holds ...
local worker = ARGV[1]
-- Kept while its worker beats.
redis.call('SET', key('renderer', worker), ARGV[2], 'PX', FORGET_MS)
local own = redis.call('GET', key('worker', worker))
local device = own and cjson.decode(own).device
for lane, rate in pairs(device and cjson.decode(ARGV[2]).megapixel_steps_per_s or {}) do
  redis.call('HSET', key('pace'), lane .. ' ' .. device, rate)
end
for _, name in ipairs(redis.call('SMEMBERS', key('warmed', worker))) do
  redis.call('SREM', key('warm', name), worker)
end
redis.call('DEL', key('warmed', worker))
for i = 3, #ARGV do
  redis.call('SADD', key('warm', ARGV[i]), worker)
  redis.call('PEXPIRE', key('warm', ARGV[i]), FORGET_MS)
  redis.call('SADD', key('warmed', worker), ARGV[i])
end
redis.call('PEXPIRE', key('warmed', worker), FORGET_MS)
local loaded = redis.call('GETDEL', key('loads', worker))
if loaded and redis.call('GET', key('loading', loaded)) == worker then
  redis.call('DEL', key('loading', loaded))
end
