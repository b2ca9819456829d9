#!lua flags=allow-oom
-- Hand out the next slice of a lane.
-- KEYS[1] prefix; keys: parked ready served job jobs retry attempts lease leases leased held
--         holders asked fence turn workers events, those `place` and `conclude` touch, and the broker's
--         list of the lane
-- ARGV: lane, worker, its rendering process, nonce of this request (hex), most units, lease time to live
--       (ms), prefix of the broker's queues, patience of each band (ms) ...
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
local FIRST_BAND = 8
local lane, worker, holder, nonce, most = ARGV[1], ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])

local function answer(fence, job, lease, tried)
  return {fence, job.id, lease.open, lease.finish, tried,
    tonumber(redis.call('HGET', key('lanes'), lane)) or 0, redis.call('LLEN', ARGV[7] .. lane)}
end

-- The answer to this very request was lost on its way: nobody would ever work on that slice.
local function granted()
  local asked = redis.call('GET', key('asked', holder)) or ''
  local fence = string.match(asked, '^' .. nonce .. ' (%d+)$')
  local lease, job = look_up(fence or '')
  if not job then return nil end
  return answer(tonumber(fence), job, lease, attempts(job, first_of(lease.open) or ''))
end

local function next_band()
  local served, first = read(key('served', lane)) or {}, nil
  for band = 0, #ARGV - FIRST_BAND do
    local since = tonumber(served[tostring(band)])
    if since then
      first = first or band
      if now - since > tonumber(ARGV[FIRST_BAND + band]) then first = band end
    end
  end
  return first
end

-- Units that wait again: the first alone when it was begun before, else those up to the next such.
local function take_again(job, limit)
  local units, tried = {}, 0
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', key('retry', job.id), '-inf', now, 'LIMIT', 0, limit)) do
    local unit = tonumber(member)
    tried = attempts(job, unit)
    if tried > 0 and units[1] then return units, 0 end
    units[#units + 1] = unit
    if tried > 0 then break end
  end
  return units, tried
end

local function take(job)
  if all_ended(job) then return '', 0 end
  local limit = most
  if job.chained == 0 then
    local workers = math.max(1, redis.call('ZCARD', key('workers')))
    limit = math.min(most, math.ceil(waiting(job) / (2 * workers)))
  end
  local units, tried = take_again(job, limit)
  if units[1] then
    redis.call('ZREMRANGEBYRANK', key('retry', job.id), 0, #units - 1)
    return text_of(units), tried
  end
  local first = job.cursor
  local last = job.units - (job.last_lane and job.lane ~= job.last_lane and 1 or 0)
  local count = math.min(limit, last - first)
  if count < 1 then return nil end
  -- Of a chain, units behind the cursor may have been begun too.
  tried = attempts(job, first)
  if tried > 0 then count = 1 end
  set_cursor(job, first + count)
  return range(first, first + count - 1), tried
end

local function grant(job, units)
  -- Never below the time: a fence of a ledger that lost its end, or all, must not count again.
  local fence = math.max((tonumber(redis.call('GET', key('fence'))) or 0) + 1, now)
  redis.call('SET', key('fence'), fence)
  local lease = {open = units, finish = units == '' and 1 or 0}
  redis.call('HSET', key('lease', fence), 'job', job.id, 'lane', lane, 'holder', holder,
    'open', units, 'at', '', 'step', 0, 'steps', 0, 'step_at', now,
    'finish', lease.finish)
  redis.call('ZADD', key('leases'), now + tonumber(ARGV[6]), fence)
  redis.call('SADD', key('leased', job.id), fence)
  redis.call('SADD', key('held', holder), fence)
  redis.call('SADD', key('holders', worker), holder)
  redis.call('SET', key('asked', holder), nonce .. ' ' .. string.format('%d', fence), 'PX', FORGET_MS)
  if job.state == 'queued' then
    if job.started == 0 then redis.call('HSET', key('job', job.id), 'started', now) end
    move(job, 'running', '')
  end
  return fence, lease
end

local before = granted()
if before then return before end
if redis.call('EXISTS', key('parked', lane)) == 1 then return nil end
for _ = 1, 64 do
  local band = next_band()
  if not band then return nil end
  local users = key('ready', lane, band)
  local user = redis.call('ZRANGE', users, 0, 0)[1]
  local job = read_job(redis.call('ZRANGE', users .. ':' .. user, 0, 0)[1])
  if job.expires > 0 and job.expires <= now then
    conclude(job, 'expired', 'its deadline passed while it waited')
  else
    local _, due = waiting(job)
    local units, tried = nil, nil
    if due <= now then units, tried = take(job) end
    if units then
      redis.call('HSET', key('served', lane), band, now)
      redis.call('ZADD', users, redis.call('INCR', key('turn')), user)
      local fence, lease = grant(job, units)
      place(job)
      return answer(fence, job, lease, tried)
    end
    place(job)
  end
end
return nil
