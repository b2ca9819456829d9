#!lua flags=allow-oom
-- Record the state of a rendering process. The load it had marked has ended.
-- KEYS[1] prefix; keys: worker renderer pace warm_workers warm_models loading_workers loading_model
--         work_counts counted
-- ARGV: worker, its description (JSON), names of the models it holds ...
-- Its `counts` are totals since the process began, and `process` names it. So what was told before is known, and
-- a description that comes twice, or not at all, changes no count.
local worker = ARGV[1]
-- The heartbeats of its worker renew what lapses.
redis.call('SET', key('renderer', worker), ARGV[2], 'PX', FORGET_MS)
local known = redis.call('MGET', key('worker', worker), key('loading_model', worker))
local device, loaded = decode(known[1]).device, known[2]
local described = decode(ARGV[2])
local rates, pace = described.megapixel_steps_per_s, {}
for lane, rate in pairs(type(device) == 'string' and type(rates) == 'table' and rates or {}) do
  if type(lane) == 'string' and type(rate) == 'number' then
    pace[#pace + 1] = lane .. ' ' .. device
    pace[#pace + 1] = rate
  end
end
if pace[1] then redis.call('HSET', key('pace'), unpack(pace)) end
set_warm_models(worker, {unpack(ARGV, 3)})
if loaded then
  redis.call('DEL', key('loading_model', worker))
  redis.call('ZREM', key('loading_workers', loaded), worker)
end

local counts = described.counts
if type(counts) ~= 'table' or type(described.process) ~= 'string' then return end
local told = read(key('counted', worker)) or {}
if told.process ~= described.process then
  told = {}
  redis.call('DEL', key('counted', worker))
  redis.call('HSET', key('counted', worker), 'process', described.process)
  redis.call('PEXPIRE', key('counted', worker), FORGET_MS)
end
for name, total in pairs(counts) do
  local before = tonumber(told[name]) or 0
  if type(name) == 'string' and type(total) == 'number' and total > before then
    count('work_counts', name .. ' ' .. word(device), total - before)
    redis.call('HSET', key('counted', worker), name, total)
  end
end
