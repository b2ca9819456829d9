-- Hand out the next slice of a lane.
-- KEYS[1] prefix; keys: parked ready served job retry attempts lease leases held holders fence
--         turn workers, and the broker's list of the lane
-- ARGV: lane, worker, its rendering process, most units, lease time to live (ms),
--       prefix of the broker's queues, patience of each band (ms) ...
-- Returns nil, or {fence, id, units as ranges, finish 0|1, attempts so far of the first unit,
--                  units of this lane still waiting, tickets of this lane still queued}
--
-- Order inside a lane: the highest band (0 first), but a band passed over for longer than its
-- patience gets one slice; in a band the user whose last slice is longest ago; of a user the
-- oldest job. A unit that failed before gets a slice of its own, so that one which kills its
-- worker cannot take others with it.
--
-- A slice is at most half of an equal share of what is left (guided self-scheduling, Polychronopoulos
-- and Kuck 1987), so that the last pictures of a job are spread over all workers.
local FIRST_BAND = 7
local lane, worker, holder, most = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
if redis.call('EXISTS', key('parked', lane)) == 1 then return nil end

local function next_band()
  local served, first = read(key('served', lane)) or {}, nil
  for band = 0, #ARGV - FIRST_BAND do
    local since = tonumber(served[tostring(band)])
    if since then
      first = first or band
      if now - since > tonumber(ARGV[FIRST_BAND + band]) then first = math.max(first, band) end
    end
  end
  return first
end

local function take(job)
  if job.finishing == 1 then return '', 1, 0 end
  local suspects = redis.call('ZRANGEBYSCORE', key('retry', job.id), '-inf', now, 'LIMIT', 0, most)
  local tried = 0
  for index, unit in ipairs(suspects) do
    local attempts = tonumber(redis.call('HGET', key('attempts', job.id), unit)) or 0
    if attempts > 0 then
      if index == 1 then suspects, tried = {unit}, attempts else suspects = {unpack(suspects, 1, index - 1)} end
      break
    end
  end
  if suspects[1] then
    redis.call('ZREM', key('retry', job.id), unpack(suspects))
    return table.concat(suspects, ','), #suspects, tried
  end
  local workers = math.max(1, redis.call('ZCARD', key('workers')))
  local left = job.units - job.cursor
  local count = math.min(most, job.chained == 1 and left or math.ceil(left / (2 * workers)))
  if count <= 0 then return nil end
  local first = job.cursor
  job.cursor = redis.call('HINCRBY', key('job', job.id), 'cursor', count)
  return first .. '-' .. (first + count - 1), count, 0
end

local function grant(job, units, count, tried)
  -- Numbered from the time on: a fence of a ledger that was lost must not count in the new one.
  redis.call('SET', key('fence'), now, 'NX')
  local fence = redis.call('INCR', key('fence'))
  local deadline = now + tonumber(ARGV[5])
  redis.call('HSET', key('lease', fence), 'job', job.id, 'lane', lane, 'holder', holder,
    'units', units, 'left', count, 'at', '', 'step', 0, 'steps', 0, 'step_at', now,
    'finish', job.finishing)
  redis.call('ZADD', key('leases'), deadline, fence)
  redis.call('SADD', key('held', holder), fence)
  redis.call('SADD', key('holders', worker), holder)
  redis.call('HINCRBY', key('job', job.id), 'leases', 1)
  if job.state == 'queued' then
    if job.started == 0 then redis.call('HSET', key('job', job.id), 'started', now) end
    move(job, 'running', '')
  end
  return {fence, job.id, units, job.finishing, tried,
    tonumber(redis.call('HGET', key('lanes'), lane)) or 0, redis.call('LLEN', ARGV[6] .. lane)}
end

for _ = 1, 64 do
  local band = next_band()
  if not band then return nil end
  local users = key('ready', lane, band)
  local user = redis.call('ZRANGE', users, 0, 0)[1]
  if not user then redis.call('HDEL', key('served', lane), band) end
  local id = user and redis.call('ZRANGE', users .. ':' .. user, 0, 0)[1]
  local job = id and read_job(id)
  if job and job.expires > 0 and job.expires <= now then
    conclude(job, 'expired', 'its deadline passed while it waited')
    job = nil
  elseif user and not job then
    redis.call('ZREM', users .. ':' .. user, id or '')
    if redis.call('EXISTS', users .. ':' .. user) == 0 then redis.call('ZREM', users, user) end
  end
  if job then
    local before = waiting(job)
    local units, count, tried = take(job)
    if not units then
      leave(job)
      enter_or_wait(job)
    else
      count_waiting(lane, waiting(job) - before)
      redis.call('HSET', key('served', lane), band, now)
      redis.call('ZADD', users, redis.call('INCR', key('turn')), user)
      if job.finishing == 1 or job.chained == 1 or waiting(job) == 0 then leave(job) end
      return grant(job, units, count, tried)
    end
  end
end
return nil
