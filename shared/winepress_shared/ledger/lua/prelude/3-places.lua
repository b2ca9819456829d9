-- Part of every script: where a job waits, and the states of its units.

local DAY_MS = 86400000

local function is_alive(job) return job.state == 'queued' or job.state == 'running' end

local function has_ended(job) return job.done + job.failed >= job.units end

local function is_leased(job) return redis.call('EXISTS', key('job_leases', job.id)) == 1 end

-- When a job may be rendered: not before its start, and only in its part of the day. 0: now.
local function opens_at(job)
  local at = math.max(now, job.starts or 0)
  if job.opens then
    local minute, opens = 60000, job.opens * 60000
    local length = (job.closes - job.opens) * minute % DAY_MS
    if (at - opens) % DAY_MS >= length then at = at + (opens - at) % DAY_MS end
  end
  return at > now and at or 0
end

-- Units of a job that wait for a claim, and from when (0: now). Writing the result counts as one.
local function units_waiting(job)
  if not is_alive(job) or job.paused == 1 or job.pending == 1 then return 0, 0 end
  if has_ended(job) then return is_leased(job) and 0 or 1, 0 end
  if job.chained == 1 and is_leased(job) then return 0, 0 end
  local fresh, opens = job.units - job.cursor, opens_at(job)
  if job.has_no_retry then return fresh, opens end
  local first = redis.call('ZRANGE', key('retry', job.id), 0, 0, 'WITHSCORES')
  if not first[1] then
    job.has_no_retry = true -- as this script knows until `add_retry`
    return fresh, opens
  end
  local due = (fresh > 0 and job.chained == 0) and 0 or tonumber(first[2])
  return fresh + redis.call('ZCARD', key('retry', job.id)), math.max(due, opens)
end

-- The last unit of a chain may have another lane: a zoom's film has one without a model.
local function is_moving(job)
  return job.last_lane and job.lane ~= job.last_lane and job.ready == 0 and job.done == job.units - 1
    and redis.call('GETBIT', key('done', job.id), job.done) == 0
end

-- Update the count of a job's units that have not ended, and with it other fields of its row.
local function count_open(job, ...)
  local left = is_alive(job) and job.units - job.done - job.failed or 0
  local change = left - (job.left or 0)
  if change ~= 0 or ... then redis.call('HSET', key('job', job.id), 'left', left, ...) end
  if change == 0 then return end
  job.left = left
  redis.call('INCRBY', key('open'), change)
  if redis.call('HINCRBY', key('open_by_user'), job.user, change) == 0 then
    redis.call('HDEL', key('open_by_user'), job.user)
  end
end

-- A job gets another number of units that claims find. `is_aside` tells whether its user is set aside there.
local function set_ready(job, units, is_aside)
  local mine, is_last = key('ready', job.lane, job.priority, job.user), false
  if job.ready == 0 then
    redis.call('ZADD', mine, job.front or job.order, job.id)
    if not is_aside then join_priority(job.lane, job.priority, job.user) end
  elseif units == 0 then
    redis.call('ZREM', mine, job.id)
    is_last = redis.call('EXISTS', mine) == 0
    if is_last then leave_priority(job.lane, job.priority, job.user) end
  end
  count_waiting(job.lane, job.priority, job.user, units - job.ready, is_aside)
  if is_last and is_aside then redis.call('HDEL', key('aside', job.user), job.lane .. ':' .. job.priority) end
  job.ready = units
end

-- Place a job after any change: where claims find it, in `due`, or nowhere. A claim has found it, so its user is not
-- set aside there.
local function place_job(job, is_claimed)
  if is_moving(job) then
    job.lane = job.last_lane
    redis.call('HSET', key('job', job.id), 'lane', job.lane)
  end
  count_open(job)
  local units, due = units_waiting(job)
  if due > now then
    redis.call('ZADD', key('due'), due, job.id)
    units = 0
  elseif job.ready == 0 then
    redis.call('ZREM', key('due'), job.id) -- a job that claims find is not there
  end
  if units ~= job.ready then
    set_ready(job, units, not is_claimed and is_set_aside(job.lane, job.priority, job.user))
  elseif not job.has_new_cursor then
    return
  end
  redis.call('HSET', key('job', job.id), 'ready', units, 'cursor', job.cursor)
  job.has_new_cursor = nil
end

-- The row of a waiting job was deleted by hand: remove the job and count its user's units anew.
local function drop_lost_job(lane, priority, user, id)
  local mine, left = key('ready', lane, priority, user), 0
  redis.call('ZREM', mine, id)
  for _, other in ipairs(redis.call('ZRANGE', mine, 0, -1)) do
    left = left + (tonumber(redis.call('HGET', key('job', other), 'ready')) or 0)
  end
  if redis.call('EXISTS', mine) == 0 then leave_priority(lane, priority, user) end
  local change = left - (tonumber(redis.call('HGET', key('waits', lane, priority), user)) or 0)
  count_waiting(lane, priority, user, change, is_set_aside(lane, priority, user))
  redis.call('INCRBY', key('open'), change)
  if redis.call('HINCRBY', key('open_by_user'), user, change) == 0 then
    redis.call('HDEL', key('open_by_user'), user)
  end
end

-- Set the state of a job, and with it other fields of its row.
local function set_state(job, state, reason, ...)
  redis.call('ZREM', key('jobs', job.state), job.id)
  redis.call('ZADD', key('jobs', state), job.order, job.id)
  job.state = state
  redis.call('HSET', key('job', job.id), 'state', state, 'reason', reason, ...)
  event(job, state, 'reason', reason)
end

-- Notify the holders of a job's slices on the channel directives:HOLDER.
local function tell_holders(job)
  for _, fence in ipairs(redis.call('SMEMBERS', key('job_leases', job.id))) do
    redis.call('PUBLISH', key('directives', redis.call('HGET', key('lease', fence), 'holder')), fence)
  end
end

local function is_pending(id) return redis.call('HGET', key('job', id), 'pending') == '1' end

-- The job that an idempotency key of a user belongs to, and its digest; nil if that job is gone.
local function owner_of_key(user, idem)
  local id, digest = string.match(redis.call('GET', key('idem', user, idem)) or '', '^(%S+) (%S+)$')
  if id and redis.call('EXISTS', key('job', id)) == 1 then return id, digest end
end

-- The submission of a job is complete, or has been decided otherwise.
local function end_pending(job)
  redis.call('ZREM', key('pending'), job.id)
  redis.call('HDEL', key('job', job.id), 'pending', 'idem', 'digest')
  job.pending = nil
end

local function remove_job(id, state)
  redis.call('ZREM', key('jobs'), id)
  redis.call('ZREM', key('dead'), id)
  if state then redis.call('ZREM', key('jobs', state), id) end
  redis.call('UNLINK', key('job', id), key('retry', id), key('attempts', id), key('done', id),
    key('failers', id), key('units', id), key('unread', id), key('job_leases', id), key('events', id))
end

-- Remove a pending job as if it had never been there; its idempotency key then belongs to no job.
local function drop_pending(job)
  local state = job.state
  job.state = 'canceled'
  count_open(job)
  redis.call('ZREM', key('pending'), job.id)
  remove_job(job.id, state)
end

-- A job is accepted, with so many units to draw.
local function count_accepted(job, units)
  count('job_counts', 'accepted ' .. job.priority)
  count('job_counts', 'accepted_pictures ' .. job.priority, units)
end

-- The job, pending or unknown, will never be accepted. Its job.json may be in the store, or come there late:
-- the id is remembered until a worker has looked.
local function note_withdrawn(id) redis.call('ZADD', key('withdrawn'), now + LOOK_MS, id) end

-- Give an idempotency key to a job that is accepted; a pending job that has it is undone.
local function take_key(user, idem, id, digest, ttl)
  local owner = owner_of_key(user, idem)
  if owner and owner ~= id then
    drop_pending(read_job(owner))
    note_withdrawn(owner)
  end
  redis.call('SET', key('idem', user, idem), id .. ' ' .. digest, 'PX', ttl)
end

-- When the record of a job that ends now is dropped.
local function note_old(job)
  redis.call('ZADD', key('old'), now + math.floor(limit_of('keep_days') * DAY_MS), job.id)
end

-- Set a terminal state; the record is kept for `keep_days` more, or for as long as the job is pinned.
local function end_job(job, state, reason)
  if job.pending == 1 then end_pending(job) end
  set_state(job, state, reason, 'finished', now, 'paused', 0)
  place_job(job)
  redis.call('ZREM', key('expiries'), job.id)
  if job.pinned ~= 1 then note_old(job) end
  redis.call('PEXPIRE', key('events', job.id), EVENTS_KEPT_MS)
  local of_its_units = {key('retry', job.id), key('attempts', job.id), key('failers', job.id)}
  if state == 'succeeded' then
    of_its_units[4], of_its_units[5] = key('done', job.id), key('units', job.id)
  end
  redis.call('DEL', unpack(of_its_units))
  tell_holders(job)
  count('job_counts', 'ended ' .. state)
  if has_ended(job) and job.started > 0 then
    count_seconds('job_counts', 'ran ' .. job.priority, JOB_S, math.max(0, now - job.started) / 1000)
  end
end

local function add_retry(job, unit, due)
  job.has_no_retry = nil
  redis.call('ZADD', key('retry', job.id), due, string.format('%07d', unit))
end

-- Attempts of a unit that count; nil if it was never started, or given back untried.
local function attempts(job, unit) return tonumber(redis.call('HGET', key('attempts', job.id), unit)) end

-- Record that a worker failed at a unit; the next attempt is for others, see `claim`.
local function note_failer(job, unit, holder)
  local worker = string.match(holder, '^(.*)/')
  local known = redis.call('HGET', key('failers', job.id), unit) or '\n'
  local others = string.gsub(known, '([^\n]+)\n', function(line)
    if string.match(line, '^%S+') == worker then return '' end
  end)
  redis.call('HSET', key('failers', job.id), unit, others .. worker .. string.format(' %.0f\n', now))
end

-- Whoever moves the cursor of a job places it afterwards, which writes it.
local function set_cursor(job, unit) job.cursor, job.has_new_cursor = unit, true end

-- Units that were given out wait again. A chained job continues with the first of them.
local function requeue_units(job, units, due)
  if job.chained == 1 then
    set_cursor(job, units[1] + 1)
    add_retry(job, units[1], due)
    return
  end
  for _, unit in ipairs(units) do add_retry(job, unit, due) end
end

-- Requeue every unit below the cursor without an object.
local function requeue_missing(job)
  local missing = {}
  for unit = 0, job.cursor - 1 do
    if redis.call('GETBIT', key('done', job.id), unit) == 0 then
      redis.call('HDEL', key('units', job.id), unit)
      missing[#missing + 1] = unit
    end
  end
  if missing[1] then requeue_units(job, missing, now) end
end

-- Requeue the units that a job has given up while it runs; returns how many there were. No chain has any.
local function requeue_failed(job)
  local rows, count = redis.call('HGETALL', key('units', job.id)), 0
  for i = 1, #rows, 2 do
    if decode(rows[i + 1]).error then
      redis.call('HDEL', key('units', job.id), rows[i])
      add_retry(job, tonumber(rows[i]), now)
      count = count + 1
    end
  end
  job.failed = redis.call('HINCRBY', key('job', job.id), 'failed', -count)
  return count
end

local function record_failure(job, unit, class, message)
  redis.call('HSET', key('units', job.id), unit, cjson.encode({error = class, message = message}))
  redis.call('HDEL', key('attempts', job.id), unit)
  redis.call('HDEL', key('failers', job.id), unit)
  job.failed = redis.call('HINCRBY', key('job', job.id), 'failed', 1)
  count('work_counts', 'failed ' .. word(class))
end

-- Too many units of a job have failed: fail all that are not in progress.
local function fail_remaining(job, class)
  local waiting_again = redis.call('ZRANGE', key('retry', job.id), 0, -1)
  local message = 'not drawn: more than ' .. job.max_failed .. ' pictures of the job failed before'
  redis.call('DEL', key('retry', job.id))
  for _, member in ipairs(waiting_again) do record_failure(job, tonumber(member), class, message) end
  for unit = job.cursor, job.units - 1 do record_failure(job, unit, class, message) end
  set_cursor(job, job.units)
end

-- End a unit without an object, and with it every later unit of a chained job.
local function fail_unit(job, unit, class, message)
  record_failure(job, unit, class, message)
  redis.call('ZADD', key('dead'), now, job.id)
  event(job, 'unit-failed', 'unit', unit, 'class', class, 'message', message)
  if job.max_failed and job.failed > job.max_failed then fail_remaining(job, class) end
  if job.chained == 0 then return end
  for later = unit + 1, job.units - 1 do
    record_failure(job, later, class, 'unit ' .. unit .. ', on which it builds, failed: ' .. message)
  end
  set_cursor(job, job.units)
end
