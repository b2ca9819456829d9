#!lua flags=allow-oom
-- A rendering process says what it holds. What it was loading is loaded, or will not be.
-- KEYS[1] prefix; keys: worker renderer pace warm warmed loading loads
-- ARGV: worker, its description (JSON), names of the models it holds ...
local worker = ARGV[1]
-- Kept while its worker beats.
redis.call('SET', key('renderer', worker), ARGV[2], 'PX', FORGET_MS)
local own = redis.call('GET', key('worker', worker))
local device = own and cjson.decode(own).device
local pace = {}
for lane, rate in pairs(device and cjson.decode(ARGV[2]).megapixel_steps_per_s or {}) do
  pace[#pace + 1] = lane .. ' ' .. device
  pace[#pace + 1] = rate
end
if pace[1] then redis.call('HSET', key('pace'), unpack(pace)) end
hold_warm(worker, {unpack(ARGV, 3)})
local loaded = redis.call('GETDEL', key('loads', worker))
if loaded then redis.call('ZREM', key('loading', loaded), worker) end
