#!lua flags=allow-oom
-- Apply a user's command to a job.
-- KEYS[1] prefix; keys: job jobs lease leases job_leases retry attempts done units expiries old dead
--         events, and those `end_job` and `place_job` touch
-- ARGV: id, verb: 'cancel' | 'pause' | 'resume' | 'retry' | 'drop' (what it gave up needs no attention) |
--       'front' | 'reprioritise' | 'pin' (its record is not dropped) | 'unpin' (once it has ended, the time for which
--       it is kept begins now), reason (of a cancel) or priority (of reprioritise)
-- Returns {'ok'|'missing'|'illegal', state}; holders are notified on the channel directives:HOLDER
local id, verb = ARGV[1], ARGV[2]
local job = read_job(id)
if not job then return {'missing', ''} end
local VERBS = {cancel = 1, pause = 1, resume = 1, retry = 1, drop = 1, front = 1, reprioritise = 1,
  pin = 1, unpin = 1}
if not VERBS[verb] then error('refused argument verb') end
if verb == 'reprioritise' and not string.match(ARGV[3], '^[0-2]$') then
  error('refused argument priority')
end

local function set_paused(paused)
  redis.call('HSET', key('job', id), 'paused', paused)
  job.paused = paused
  event(job, verb .. 'd')
  place_job(job)
end

-- Change a field that decides where the job waits: remove it from there, then place it again.
local function replace(field, value)
  local paused = job.paused
  job.paused = 1
  place_job(job)
  job.paused, job[field] = paused, value
  redis.call('HSET', key('job', id), field, value)
  place_job(job)
end

if verb == 'pin' then
  redis.call('HSET', key('job', id), 'pinned', 1)
  redis.call('ZREM', key('old'), id)
elseif verb == 'unpin' then
  if redis.call('HDEL', key('job', id), 'pinned') == 1 and not is_alive(job) then note_old(job) end
elseif verb == 'drop' then
  redis.call('ZREM', key('dead'), id)
elseif verb == 'retry' and is_alive(job) and job.failed > 0 and not has_ended(job) and job.pending ~= 1 then
  redis.call('ZREM', key('dead'), id)
  event(job, 'note', 'message', 'given up before, to be tried again: ' .. requeue_failed(job))
  place_job(job)
elseif verb == 'retry' then
  if is_alive(job) or job.state == 'succeeded' then return {'illegal', job.state} end
  -- Holders of slices from before the retry lose them.
  tell_holders(job)
  void_leases_of(id)
  redis.call('ZREM', key('old'), id)
  redis.call('ZREM', key('dead'), id)
  redis.call('PERSIST', key('events', id))
  redis.call('HSET', key('job', id), 'failed', 0, 'finished', 0, 'expires', 0)
  job.failed, job.paused = 0, 0
  requeue_missing(job)
  set_state(job, 'queued', '')
  place_job(job)
elseif not is_alive(job) then
  return {verb == 'cancel' and job.state == 'canceled' and 'ok' or 'illegal', job.state}
elseif verb == 'cancel' then
  end_job(job, 'canceled', ARGV[3])
elseif verb == 'front' then
  -- The job moved last comes first. Its user's turn is unchanged, so other users lose nothing.
  job.front = -redis.call('INCR', key('turn'))
  redis.call('HSET', key('job', id), 'front', job.front)
  redis.call('ZADD', key('ready', job.lane, job.priority, job.user), 'XX', job.front, id)
elseif verb == 'reprioritise' then
  if tonumber(ARGV[3]) ~= job.priority then replace('priority', tonumber(ARGV[3])) end
elseif verb == 'pause' then
  set_paused(1)
  tell_holders(job)
else
  set_paused(0)
end
return {'ok', job.state}
