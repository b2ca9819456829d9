#!lua flags=allow-oom
-- Record the state of a rendering process. The load it had marked has ended.
-- KEYS[1] prefix; keys: worker renderer pace warm_workers warm_models loading_workers loading_model
-- ARGV: worker, its description (JSON), names of the models it holds ...
local worker = ARGV[1]
-- Each heartbeat of its worker renews it.
redis.call('SET', key('renderer', worker), ARGV[2], 'PX', FORGET_MS)
local device = decode(redis.call('GET', key('worker', worker))).device
local rates, pace = decode(ARGV[2]).megapixel_steps_per_s, {}
for lane, rate in pairs(type(device) == 'string' and type(rates) == 'table' and rates or {}) do
  if type(lane) == 'string' and type(rate) == 'number' then
    pace[#pace + 1] = lane .. ' ' .. device
    pace[#pace + 1] = rate
  end
end
if pace[1] then redis.call('HSET', key('pace'), unpack(pace)) end
set_warm_models(worker, {unpack(ARGV, 3)})
local loaded = redis.call('GETDEL', key('loading_model', worker))
if loaded then redis.call('ZREM', key('loading_workers', loaded), worker) end
