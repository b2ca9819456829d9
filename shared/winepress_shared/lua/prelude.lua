-- Put in front of every script of this folder: names of keys, the ready sets, the end of a lease.
--
-- KEYS[1] is the farm's prefix; every key below carries it. Time is the server's, in milliseconds.
--
--   job:ID            hash    state kind lane band user units done failed cursor leases order
--                             created started finished expires paused finishing chained reason
--                             ready (1 while the job is in the ready sets)
--   jobs              zset    ID by time of submission; jobs:STATE the same for one state
--   ready:LANE:BAND         zset  user by the turn of their last slice (lowest is next)
--   ready:LANE:BAND:USER    zset  ID by order (lowest is next)
--   served:LANE       hash    BAND → when this band last got a slice, or began to wait
--   lanes             hash    LANE → units waiting in its ready sets; queued: their sum
--   retry:ID          zset    unit by the time it may be tried again
--   attempts:ID       hash    unit → attempts begun and not committed
--   done:ID           bitmap  units whose object exists
--   units:ID          hash    unit → JSON of its output, or of its error
--   lease:FENCE       hash    job lane holder units left at step steps step_at finish
--   leases            zset    FENCE by deadline
--   held:HOLDER       set     fences a process answers for; HOLDER is WORKER/PID of the renderer
--   holders:WORKER    set     the processes of a worker that may hold leases
--   workers           zset    WORKER by last beat; worker:WORKER its own description, JSON;
--                             renderer:WORKER what its rendering process says of itself, JSON
--   due               zset    ID by the time its earliest retry is due
--   expiries          zset    ID by deadline; old: ID by the time its record is dropped
--   parked:LANE       string  why nothing is handed out in this lane (with a time to live)
--   idem:USER:KEY     string  ID and digest of the job submitted under this key
--   events:ID         stream  what happened to the job, the newest EVENTS of it
--   fence, turn       counters
local P = KEYS[1]
local EVENTS = 256
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local unpack = unpack or table.unpack

local function key(...) return P .. table.concat({...}, ':') end

-- Only these fields are numbers; a user may well be called "1e5" or "inf".
local NUMBERS = {}
for name in string.gmatch('band units done failed cursor leases order created started finished ' ..
    'expires paused finishing chained ready left step steps step_at finish', '%S+') do
  NUMBERS[name] = true
end

local function read(name)
  local flat, hash = redis.call('HGETALL', name), {}
  for i = 1, #flat, 2 do hash[flat[i]] = NUMBERS[flat[i]] and tonumber(flat[i + 1]) or flat[i + 1] end
  return flat[1] and hash or nil
end

local function read_job(id)
  local job = read(key('job', id))
  if job then job.id = id end
  return job
end

local function event(id, kind, ...)
  redis.call('XADD', key('events', id), 'MAXLEN', '~', EVENTS, '*', 'event', kind, 'at', now, ...)
end

local function waiting(job)
  return job.units - job.cursor + redis.call('ZCARD', key('retry', job.id)) + job.finishing
end

local function count_waiting(lane, units)
  if redis.call('HINCRBY', key('lanes'), lane, units) <= 0 then redis.call('HDEL', key('lanes'), lane) end
  redis.call('INCRBY', key('queued'), units)
end

-- Put a job where claims can find it. A user who was not waiting joins behind those who are.
local function enter(job)
  if job.ready == 1 or job.paused == 1 then return end
  local band = key('ready', job.lane, job.band)
  redis.call('ZADD', band .. ':' .. job.user, job.order, job.id)
  if not redis.call('ZSCORE', band, job.user) then
    redis.call('ZADD', band, redis.call('INCR', key('turn')), job.user)
  end
  redis.call('HSETNX', key('served', job.lane), job.band, now)
  job.ready = 1
  redis.call('HSET', key('job', job.id), 'ready', 1)
  count_waiting(job.lane, waiting(job))
end

local function leave(job)
  if job.ready ~= 1 then return end
  local band = key('ready', job.lane, job.band)
  redis.call('ZREM', band .. ':' .. job.user, job.id)
  if redis.call('EXISTS', band .. ':' .. job.user) == 0 then redis.call('ZREM', band, job.user) end
  if redis.call('EXISTS', band) == 0 then redis.call('HDEL', key('served', job.lane), job.band) end
  job.ready = 0
  redis.call('HSET', key('job', job.id), 'ready', 0)
  count_waiting(job.lane, -waiting(job))
end

-- The earliest retry of a job decides whether it is ready now or waits in `due`.
local function enter_or_wait(job)
  if job.finishing == 1 or job.cursor < job.units then return enter(job) end
  local first = redis.call('ZRANGE', key('retry', job.id), 0, 0, 'WITHSCORES')
  if not first[1] then return end
  if tonumber(first[2]) <= now then enter(job) else redis.call('ZADD', key('due'), first[2], job.id) end
end

local function move(job, state, reason)
  redis.call('ZREM', key('jobs', job.state), job.id)
  redis.call('ZADD', key('jobs', state), job.created, job.id)
  job.state = state
  redis.call('HSET', key('job', job.id), 'state', state, 'reason', reason or '')
  event(job.id, state, 'reason', reason or '')
end

-- A terminal state; the record is kept for `keep` milliseconds more.
local function conclude(job, state, reason)
  leave(job)
  local keep = tonumber(redis.call('GET', key('keep'))) or 604800000
  redis.call('ZREM', key('due'), job.id)
  redis.call('ZREM', key('expiries'), job.id)
  redis.call('ZADD', key('old'), now + keep, job.id)
  redis.call('HSET', key('job', job.id), 'finished', now, 'finishing', 0)
  job.finishing = 0
  move(job, state, reason)
  if state == 'succeeded' then
    for _, name in ipairs({'retry', 'attempts', 'done', 'units'}) do redis.call('DEL', key(name, job.id)) end
  end
end

-- "3-5,9" → {3, 4, 5, 9}
local function units_of(text)
  local units = {}
  for first, last in string.gmatch(tostring(text), '(%d+)%-?(%d*)') do
    for unit = tonumber(first), tonumber(last ~= '' and last or first) do units[#units + 1] = unit end
  end
  return units
end

local function drop_lease(fence, lease, job)
  redis.call('DEL', key('lease', fence))
  redis.call('ZREM', key('leases'), fence)
  if job then job.leases = redis.call('HINCRBY', key('job', job.id), 'leases', -1) end
end

local function all_ended(job)
  return job.done + job.failed >= job.units
end

local function fail_unit(job, unit, class, message)
  redis.call('HSET', key('units', job.id), unit, cjson.encode({error = class, message = message}))
  redis.call('HDEL', key('attempts', job.id), unit)
  job.failed = redis.call('HINCRBY', key('job', job.id), 'failed', 1)
  event(job.id, 'unit-failed', 'unit', unit, 'class', class, 'message', message)
end

-- Give the uncommitted units of a lease back and close it. `counted`: the attempts stand (the
-- worker was lost), and a unit that has used up `limit` of them is not handed out again.
local function end_lease(fence, lease, counted, limit)
  local job = read_job(lease.job)
  drop_lease(fence, lease, job)
  if not job or job.state ~= 'running' then return end
  leave(job)
  for _, unit in ipairs(units_of(lease.units)) do
    local open = redis.call('GETBIT', key('done', job.id), unit) == 0
      and redis.call('HEXISTS', key('units', job.id), unit) == 0
      and not redis.call('ZSCORE', key('retry', job.id), unit)
    if open then
      local tried = tonumber(redis.call('HGET', key('attempts', job.id), unit)) or 0
      if counted and tried >= limit then
        fail_unit(job, unit, 'WorkerLost', 'its worker died ' .. tried .. ' times while drawing it')
      else
        if not counted and tried > 0 then redis.call('HINCRBY', key('attempts', job.id), unit, -1) end
        redis.call('ZADD', key('retry', job.id), now, unit)
      end
    end
  end
  if all_ended(job) then
    job.finishing = 1
    redis.call('HSET', key('job', job.id), 'finishing', 1)
  elseif job.leases == 0 and job.done + job.failed == 0 then
    move(job, 'queued', '')
  end
  enter_or_wait(job)
end
