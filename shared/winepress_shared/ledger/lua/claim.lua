#!lua flags=allow-oom
-- Give out the next slice of a lane, and with it those that can share a call with it and would be next.
-- KEYS[1] prefix; keys: limits parked paused watched ready priority_served lane_served waits aside slices job jobs
--         retry attempts failers lane_workers blocked unread shunned_lane lease leases job_leases held processes
--         heard fence turn workers events, those `place_job` and `end_job` touch, and the broker's
--         list of the lane
-- ARGV: lane, worker, its rendering process, nonce of this request (hex), most units of the first slice, most
--       units of all slices if there is another (1: there is none), lease time to live (ms), prefix of the
--       broker's queues, a worker is alive if its last heartbeat is within (ms), units that the worker failed at
--       come last 0|1, start the first unit 0|1, life of the process (hex) and number of this message in it, patience
--       of each priority (ms) ...
-- A request that is late gets nothing.
-- Returns nil, or JSON, a list of slices: fence; id; units (ranges); finish 0|1; earlier attempts of the first
--         unit; alone 0|1, it was started before; waiting, the units of this lane left for others; queued
--         tickets of this lane; priority; lane of the slice, which differs if an earlier request is answered;
--         job_units, all of the job; watched 0|1, somebody watches its steps; begun 0|1, its first unit is started:
--         not one that was started before, as the units in progress on its worker must end first; of a job with a
--         trace also traceparent, and with its first slice waited_ms, since it was submitted or its earliest start
-- Order inside a lane: the highest priority (0 first), but one passed over for longer than its patience gets
-- one slice; in a priority the user whose last slice is oldest; of a user the oldest job. A unit that failed
-- before gets its own slice and no other with it, so that a unit that kills its worker takes no others with it;
-- and a unit that a worker failed at is left to other workers for a while. A slice given out while a higher
-- priority waits does not give way: so a priority that was passed over gets its whole slice, and units this
-- worker must not render do not end each of its slices.
--
-- A slice is at most half of an equal share of what is left (guided self-scheduling, Polychronopoulos
-- and Kuck 1987), so that the last pictures of a job are spread over all workers. More slices are given out as
-- long as the next one in this order is alike, and all of them stay within a worker's share of the lane.
local FIRST_PRIORITY = 14
local ELSEWHERE_MS = 60000 -- longest wait of a unit for a worker that has not failed at it
local SHUN_MS = 10000 -- a worker that found only such units takes no tickets of the lane for this long
local LOOKED_AT = 8 -- workers checked to find one that may render such a unit
local MOST_LOOKS = 64 -- users and jobs checked per claim, which bounds its time; the next claim continues
check_numbers(5, 6, 7, 9, 10, 11, 13)
for place = FIRST_PRIORITY, #ARGV do check_numbers(place) end
local lane, worker, holder, nonce, most = ARGV[1], ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
local most_of_all, lease_ms = tonumber(ARGV[6]), tonumber(ARGV[7])
local queues, alive_ms, others_first = ARGV[8], tonumber(ARGV[9]), ARGV[10] == '1'
local begins = ARGV[11] == '1'
local slices, units_given = {}, 0 -- what this request gets
local alike = nil -- what all of it has in common

-- In most farms nothing is parked, paused, blocked or limited at the moment, and there is nothing to look at.
local is_hindered = redis.call('EXISTS', key('parked', lane), key('paused'), key('blocked', worker), key('limits')) > 0

local function patience_ms(priority) return tonumber(ARGV[FIRST_PRIORITY + priority]) end

-- Whether the first unit of a slice that was given out before is started now, or was then.
local function begin_first(fence, job, lease)
  local first = begins and not slices[1] and first_of(lease.open)
  if not first or lease.again == 1 and not is_begun(lease, first) then return false end
  begin_unit(fence, lease, job, first)
  return true
end

local function answer(fence, job, lease, tried, begun)
  return {begun = begun and 1 or 0, fence = fence, id = job.id, units = lease.open, finish = lease.finish,
    attempts = tried, alone = lease.again, priority = job.priority, lane = lease.lane, job_units = job.units,
    watched = is_watched(job) and 1 or 0, traceparent = job.traceparent}
end

local function answer_all()
  local waiting, tickets = units_in(lane), redis.call('LLEN', queues .. lane)
  for _, one in ipairs(slices) do one.waiting, one.tickets = waiting, tickets end
  return cjson.encode(slices)
end

-- The slices that this process has, the oldest first.
local function look_up_mine()
  local fences, mine = redis.call('SMEMBERS', key('held', holder)), {}
  table.sort(fences, function(one, other) return tonumber(one) < tonumber(other) end)
  for i, fence in ipairs(fences) do
    local lease, job, directive = look_up_lease(fence)
    mine[i] = {fence = fence, lease = lease, job = job, directive = directive}
  end
  return mine
end

-- If the answer to this same request was lost, give it again: else no worker would render these slices.
local function answer_again(mine)
  for _, one in ipairs(mine) do
    if one.job and one.lease.nonce == nonce then
      local lease, job, directive = look_up_directive(one.fence)
      local first = first_of(lease.open)
      local tried = first and attempts(job, first) or 0
      -- The attempt that was counted when it was begun is the current one, not an earlier one.
      if first and is_begun(lease, first) then tried = tried - 1 end
      local begun = directive == 'ok' and begin_first(one.fence, job, lease)
      slices[#slices + 1] = answer(tonumber(one.fence), job, lease, tried, begun)
    end
  end
end

-- The priority to serve, among those that this claim has not passed over, and when each got a slice.
local function next_priority(passed)
  local served, first = read(key('priority_served', lane)) or {}, nil
  for priority = 0, #ARGV - FIRST_PRIORITY do
    local since = not passed[priority] and tonumber(served[tostring(priority)])
    if since then
      first = first or priority
      if now - since > patience_ms(priority) then first = priority end
    end
  end
  return first, served
end

-- A process that asks for a slice has rendered those it holds: their last pictures are being delivered. It has
-- nothing more to do with those that it lost, or whose job has ended. It may not know of one whose claim was never
-- answered, and its parent would wait for it to stop.
local function settle(mine)
  for _, one in ipairs(mine) do
    if one.lease and (one.directive == 'lost' or one.directive == 'cancel') then
      end_lease(one.fence, one.lease)
    elseif one.lease then
      count_slice_out(one.fence, one.lease)
    end
  end
end

local function may_have_more(user)
  if not is_hindered then return true end
  if redis.call('HEXISTS', key('paused'), 'user:' .. user) == 1 then return false end
  local most_slices = limit_of('user_running_limit')
  return most_slices == 0 or (tonumber(redis.call('HGET', key('slices'), user)) or 0) < most_slices
end

-- Whether there is another live worker of this lane that is not blocked here and of which `is_able` holds.
local function has_other(is_able)
  for _, other in ipairs(redis.call('SRANDMEMBER', key('lane_workers', lane), LOOKED_AT)) do
    local seen = tonumber(redis.call('ZSCORE', key('workers'), other))
    local is_alive = seen and now - seen <= alive_ms
    if other ~= worker and is_alive and not is_blocked(other, lane) and is_able(other) then return true end
  end
  return false
end

-- Whether to pass over a unit because this worker has failed at it, and either others come first or one of them
-- may render it.
local function is_passed_over(job, unit, due, tried)
  if not tried and not others_first then return false end
  local failers = redis.call('HGET', key('failers', job.id), unit)
  local function has_failed(one) return string.find(failers, '\n' .. one .. ' ', 1, true) end
  if not failers or not has_failed(worker) then return false end
  if others_first then return true end
  return now - due <= ELSEWHERE_MS and has_other(function(other) return not has_failed(other) end)
end

-- Whether this worker is blocked here, and another one is not: the last one is never blocked.
local function is_blocked_here()
  return is_hindered and is_blocked(worker, lane) and has_other(function() return true end)
end

-- Units for a retry: the first alone if it was started before, else those up to the next such unit. Also returns
-- the attempts of the former.
local function take_retries(job, limit)
  local members, units = {}, {}
  if job.has_no_retry then return members, units end
  local found = redis.call('ZRANGEBYSCORE', key('retry', job.id), '-inf', now, 'WITHSCORES', 'LIMIT', 0,
    limit + LOOKED_AT)
  for i = 1, #found, 2 do
    local unit = tonumber(found[i])
    local tried = attempts(job, unit)
    if not is_passed_over(job, unit, tonumber(found[i + 1]), tried) then
      if tried and (units[1] or alike) then return members, units end
      members[#members + 1], units[#units + 1] = found[i], unit
      if tried or #units == limit then return members, units, tried end
    end
  end
  return members, units
end

local function most_units_of(job, waiting)
  if job.chained == 1 then return most end
  local limit = math.min(most, waiting)
  if limit > 1 then
    limit = math.min(limit, math.ceil(waiting / (2 * math.max(1, redis.call('ZCARD', key('workers'))))))
  end
  if alike then return math.min(limit, most_of_all - units_given) end
  -- Whole calls only: an incomplete call would be padded with pictures that are discarded.
  local together = job.together or 1
  return math.ceil(limit / together) * together
end

-- Units of a job, of which so many wait, as ranges, and the earlier attempts of the first; nil if it has none for
-- this request.
local function take_units(job, waiting)
  if has_ended(job) then return not alike and '' or nil end
  local limit = most_units_of(job, waiting)
  local members, units, tried = take_retries(job, limit)
  if units[1] then
    redis.call('ZREM', key('retry', job.id), unpack(members))
    return text_of(units), tried
  end
  local first = job.cursor
  local last = job.units - (job.last_lane and job.lane ~= job.last_lane and 1 or 0)
  local count = math.min(limit, last - first)
  if count < 1 or job.chained == 1 and redis.call('EXISTS', key('retry', job.id)) == 1 then return nil end
  -- In a chain, units after the cursor may have been started too; the cursor of any other job goes forward only.
  tried = job.chained == 1 and attempts(job, first) or nil
  if tried and alike then return nil end
  if tried then count = 1 end
  set_cursor(job, first + count)
  return range(first, first + count - 1), tried
end

-- Whether a slice of a job gives way to no higher priority, by when each priority of the lane was served before it.
local function is_firm(job, served)
  for higher = 0, job.priority - 1 do
    if served[tostring(higher)] then return true end
  end
  local since = tonumber(served[tostring(job.priority)]) or now
  return now - since > patience_ms(job.priority) and where_higher_waits(job, worker) ~= nil
end

-- Never below the time: a ledger that lost its data must not give out a fence again.
local function next_fence()
  local last = tonumber(redis.call('SET', key('fence'), now, 'GET')) or 0
  if last < now then return now end
  redis.call('SET', key('fence'), last + 1)
  return last + 1
end

local function grant_lease(job, units, firm, tried)
  local fence, first = next_fence(), begins and not slices[1] and not tried and first_of(units) or nil
  local lease = {open = units, at = first or '', finish = units == '' and 1 or 0, lane = lane, holder = holder,
    again = tried and 1 or 0}
  redis.call('HSET', key('lease', fence), 'job', job.id, 'lane', lane, 'holder', holder, 'nonce', nonce,
    'open', units, 'at', lease.at, 'step', 0, 'steps', 0, 'step_at', now,
    'finish', lease.finish, 'user', job.user, 'firm', firm and 1 or 0, 'again', lease.again,
    'follows', alike and 1 or 0)
  count_slice(job.user, 1)
  redis.call('ZADD', key('leases'), now + lease_ms, fence)
  redis.call('SADD', key('job_leases', job.id), fence)
  redis.call('SADD', key('held', holder), fence)
  -- Its worker may die before the next heartbeat that renews them.
  redis.call('PEXPIRE', key('held', holder), FORGET_MS)
  if redis.call('SADD', key('processes', worker), holder) == 1 then
    redis.call('PEXPIRE', key('processes', worker), FORGET_MS)
  end
  count('work_counts', 'slices')
  if job.state == 'queued' then
    local is_first = job.started == 0
    if is_first then
      local since = math.max(job.created, job.starts or 0)
      count_seconds('work_counts', 'waited ' .. job.priority, JOB_S, math.max(0, now - since) / 1000)
    end
    set_state(job, 'running', '', 'started', is_first and now or job.started)
  end
  if first then count_attempt(lease, job, first) end
  return fence, lease
end

-- Give out a slice of a job; returns its lease, or nil if the job has nothing for this request now.
local function serve_job(job, served)
  if job.expires > 0 and job.expires <= now then
    end_job(job, 'expired', 'its deadline passed while it waited')
    return nil
  end
  local waiting, due = units_waiting(job)
  local units, tried = nil, nil
  if due <= now then units, tried = take_units(job, waiting) end
  local fence, lease = nil, nil
  if units then
    local firm = is_firm(job, served)
    redis.call('HSET', key('priority_served', lane), job.priority, now)
    redis.call('HSET', key('lane_served'), lane, now)
    redis.call('ZADD', key('ready', lane, job.priority), redis.call('INCR', key('turn')), job.user)
    fence, lease = grant_lease(job, units, firm, tried)
  end
  place_job(job, true)
  if not fence then return nil end
  each_range(units, function(first, last) units_given = units_given + last - first + 1 end)
  local slice = answer(fence, job, lease, tried or 0, lease.at ~= '')
  if job.traceparent and job.started == 0 then slice.waited_ms = now - math.max(job.created, job.starts or 0) end
  slices[#slices + 1] = slice
  return lease
end

if is_late(holder, ARGV[12], ARGV[13]) then return nil end
local mine = look_up_mine()
answer_again(mine)
if slices[1] then return answer_all() end
settle(mine)
if is_hindered and is_closed(lane) then return nil end
-- Give out the next slice. Once slices have been given out, only one that is alike and was not started before.
-- Returns its lease and job; or nil, nil and whether units were passed over.
local function serve_lane()
  -- Users, jobs and priorities that had nothing for this worker; the former two of the priority `here`.
  local here, users_passed, jobs_passed
  local passed, is_shunned = {}, false
  for _ = 1, MOST_LOOKS do
    local priority, served = next_priority(passed)
    if not priority then break end
    if priority ~= here then here, users_passed, jobs_passed = priority, 0, 0 end
    local users = key('ready', lane, priority)
    local user = redis.call('ZRANGE', users, users_passed, users_passed)[1]
    local id = user and redis.call('ZRANGE', users .. ':' .. user, jobs_passed, jobs_passed)[1]
    if not user then
      passed[priority] = true
    elseif not id then
      users_passed, jobs_passed = users_passed + 1, 0
    elseif not may_have_more(user) then
      if alike then return nil end
      set_user_aside(lane, priority, user)
    else
      local job = read_job(id)
      if alike and not (job and job.alike == alike and job.chained == 0) then return nil end
      local lease = job and not cannot_read(job, holder) and serve_job(job, served) or nil
      if lease or alike then return lease, job end
      if not job then
        drop_lost_job(lane, priority, user, id)
      elseif job.ready > 0 then
        jobs_passed, is_shunned = jobs_passed + 1, true
      end
    end
  end
  return nil, nil, is_shunned
end

-- Units of the lane that are one worker's share, if all workers that serve it come now.
local function share_of_lane()
  local workers = math.max(1, redis.call('SCARD', key('lane_workers', lane)))
  return math.ceil(units_in(lane) / workers)
end

if is_blocked_here() then
  redis.call('SET', key('shunned_lane', worker), lane, 'PX', SHUN_MS)
  return nil
end
if most_of_all > 1 then most_of_all = math.min(most_of_all, share_of_lane()) end
local lease, job, is_shunned = serve_lane()
if is_shunned and others_first then
  others_first = false
  lease, job, is_shunned = serve_lane()
end
-- Else it would take the tickets meant for other workers.
if is_shunned then redis.call('SET', key('shunned_lane', worker), lane, 'PX', SHUN_MS) end
if not lease then return nil end
alike = lease.again ~= 1 and lease.finish ~= 1 and job.alike
while alike and units_given < most_of_all and serve_lane() do end
return answer_all()
