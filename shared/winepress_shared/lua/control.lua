-- What a user may do to a job.
-- KEYS[1] prefix; keys: job lease leases held retry units due expiries old
-- ARGV: id, verb: 'cancel' | 'pause' | 'resume' | 'retry', reason
-- Returns {'ok'|'missing'|'illegal', state}; running slices hear of it on the channel orders:HOLDER
local id, verb = ARGV[1], ARGV[2]
local job = read_job(id)
if not job then return {'missing', ''} end
local alive = job.state == 'queued' or job.state == 'running'

local function each_lease(act)
  if job.leases == 0 then return end
  for _, fence in ipairs(redis.call('ZRANGE', key('leases'), 0, -1)) do
    local lease = read(key('lease', fence))
    if lease and lease.job == id then act(fence, lease) end
  end
end

local function tell_workers()
  each_lease(function(fence, lease) redis.call('PUBLISH', key('orders', lease.holder), fence) end)
end

if verb == 'cancel' then
  if not alive then return {job.state == 'canceled' and 'ok' or 'illegal', job.state} end
  conclude(job, 'canceled', ARGV[3])
  tell_workers()
elseif verb == 'pause' then
  if not alive then return {'illegal', job.state} end
  leave(job)
  redis.call('HSET', key('job', id), 'paused', 1)
  event(id, 'paused')
  tell_workers()
elseif verb == 'resume' then
  if not alive then return {'illegal', job.state} end
  redis.call('HSET', key('job', id), 'paused', 0)
  job.paused = 0
  event(id, 'resumed')
  enter_or_wait(job)
elseif verb == 'retry' then
  if alive or job.state == 'succeeded' then return {'illegal', job.state} end
  each_lease(function(fence, lease) drop_lease(fence, lease, job) end)
  local ended = read(key('units', id)) or {}
  for unit = 0, job.cursor - 1 do
    if redis.call('GETBIT', key('done', id), unit) == 0 then
      if ended[tostring(unit)] then redis.call('HDEL', key('units', id), unit) end
      redis.call('ZADD', key('retry', id), now, unit)
    end
  end
  redis.call('DEL', key('attempts', id))
  redis.call('ZREM', key('old'), id)
  redis.call('HSET', key('job', id), 'failed', 0, 'finished', 0, 'expires', 0, 'paused', 0)
  job.failed, job.paused = 0, 0
  move(job, job.done > 0 and 'running' or 'queued', '')
  enter_or_wait(job)
end
return {'ok', job.state}
