-- Part of every script: leases, and how they end.

local BLOCK_AFTER = 3 -- units that a worker failed at and others drew
local FIRST_BLOCK_MS = 30000 -- doubled with each further such unit
local LONGEST_BLOCK_MS = 600000
local UNREAD_MS = 600000

-- A lease, its job, and what its holder should do with what it has drawn of it: 'ok' | 'cancel' | 'lost'.
local function look_up_lease(fence)
  local lease = read(key('lease', fence))
  local job = lease and lease.void ~= 1 and read_job(lease.job)
  if not job then return lease, nil, 'lost' end
  return lease, job, job.state == 'running' and 'ok' or 'cancel'
end

-- The same of a holder that goes on drawing: 'yield' if it should stop because of a pause.
local function look_up_directive(fence)
  local lease, job, directive = look_up_lease(fence)
  local yields = directive == 'ok' and (job.paused == 1 or is_paused(job.lane, job.user))
  return lease, job, yields and 'yield' or directive
end

-- Whether the last sweep is as long ago as that. A clock that is set back must not stop the sweeps.
local function is_sweep_due(swept, least) return swept > now or now - swept >= least end

local function is_begun(lease, unit) return lease.at ~= '' and unit <= tonumber(lease.at) end

-- The attempt is counted before the work.
local function count_attempt(lease, job, unit)
  redis.call('HINCRBY', key('attempts', job.id), unit, 1)
  count('work_counts', 'attempts')
  event(job, 'unit-started', 'unit', unit, 'holder', lease.holder)
end

-- Repeating the call for the same unit counts nothing.
local function begin_unit(fence, lease, job, unit)
  if is_begun(lease, unit) then return end
  redis.call('HSET', key('lease', fence), 'at', unit, 'step', 0, 'step_at', now)
  count_attempt(lease, job, unit)
end

-- A slice no longer occupies its worker.
local function count_slice_out(fence, lease)
  if not lease.user then return end
  count_slice(lease.user, -1)
  lease.user = nil
  redis.call('HDEL', key('lease', fence), 'user')
end

-- A slice is in nobody's hands.
local function take_out(fence, lease)
  if lease.user then count_slice(lease.user, -1) end
  redis.call('ZREM', key('leases'), fence)
  redis.call('SREM', key('job_leases', lease.job), fence)
end

-- Whether a rendering process has said more since it sent this message: after a link stalled, what its sender has given
-- up is delivered all the same. Messages that name a fence may come at any time; those that speak of all slices of the
-- process, or get it new ones, may not. The same message may come twice.
local function is_late(holder, life, number)
  local before = redis.call('SET', key('heard', holder), life .. ' ' .. number, 'PX', FORGET_MS, 'GET')
  local last = string.match(before or '', '^' .. life .. ' (%d+)$')
  if not last or tonumber(number) >= tonumber(last) then return false end
  redis.call('SET', key('heard', holder), before, 'PX', FORGET_MS)
  return true
end

-- Take a lease from its holder, who learns it at the next call.
local function void_lease(fence, lease)
  count_slice_out(fence, lease)
  take_out(fence, lease)
  redis.call('HSET', key('lease', fence), 'void', 1)
  redis.call('PEXPIRE', key('lease', fence), FORGET_MS)
end

local function void_leases_of(id)
  for _, fence in ipairs(redis.call('SMEMBERS', key('job_leases', id))) do
    void_lease(fence, read(key('lease', fence)))
  end
end

-- End a lease whose holder knows that it has ended.
local function end_lease(fence, lease)
  take_out(fence, lease)
  redis.call('DEL', key('lease', fence))
  redis.call('SREM', key('held', lease.holder), fence)
end

-- Set the open units of a slice to `rest`; an empty rest ends the lease.
local function keep_rest(fence, lease, rest)
  if rest == '' then end_lease(fence, lease) else redis.call('HSET', key('lease', fence), 'open', rest) end
end

-- The holder reports a unit of a slice that is no longer needed.
local function drop_unit(fence, lease, unit)
  if lease then keep_rest(fence, lease, without(lease.open, unit) or lease.open) end
end

-- The unit for which a worker that has started none of a slice may be loading the model; nil if there is none.
local function loading_for(lease)
  return lease.at == '' and lease.follows ~= 1 and first_of(lease.open) or nil
end

-- Units of a slice that its worker has in hand: started and not ended, or the first if it may be loading for it.
local function count_in_hand(lease)
  local count = loading_for(lease) and 1 or 0
  for _, unit in ipairs(units_of(lease.open)) do
    if is_begun(lease, unit) then count = count + 1 end
  end
  return count
end

-- Whether the process that has a lease has, or had when it was lost, more than one unit in hand: then any of them
-- may be to blame. What was taken from it before it got this lease it does not hold any more, see `settle` in `claim`.
local function is_in_company(lease)
  local count = 0
  for _, other in ipairs(redis.call('SMEMBERS', key('held', lease.holder))) do
    local its = read(key('lease', other))
    if its then count = count + count_in_hand(its) end
  end
  return count > 1
end

-- A worker lost before it started any unit was loading the model for the first: count that as an attempt,
-- else a model that kills its worker would be loaded for ever.
local function count_load_as_attempt(job, lease)
  local first = loading_for(lease)
  if first then
    redis.call('HINCRBY', key('attempts', job.id), first, 1)
    lease.at = first
  end
end

-- An attempt does not count. A unit that `may_be_to_blame` for the loss of its worker is still marked as started
-- before, so that it is given out alone.
local function take_attempt_back(job, unit, may_be_to_blame)
  local tried = attempts(job, unit)
  if not tried or tried == 0 then return end
  redis.call('HINCRBY', key('attempts', job.id), unit, -1)
  if tried == 1 and not may_be_to_blame then redis.call('HDEL', key('attempts', job.id), unit) end
end

-- Requeue the open units of an ended lease. With `limit` nil, its attempts do not count. Else its worker was
-- lost. If it was `in_company`, no attempt counts either, for only one unit can be to blame, but each of them is
-- given out alone next time. Else a unit started `limit` times fails; in a chain that is the first open one.
local function requeue_lease(lease, limit, in_company)
  local job = lease.void ~= 1 and read_job(lease.job)
  if not job or job.state ~= 'running' then return end
  if limit then
    count('work_counts', 'slices_lost')
    count_load_as_attempt(job, lease)
  end
  local units, counts = {}, limit and not in_company
  for _, unit in ipairs(units_of(lease.open)) do
    local is_started = is_begun(lease, unit)
    if is_started and not counts then take_attempt_back(job, unit, limit or lease.again == 1) end
    local tried = attempts(job, unit) or 0
    if is_started and counts then note_failer(job, unit, lease.holder) end
    if limit and tried >= limit then
      fail_unit(job, unit, 'WorkerLost', 'its worker died ' .. tried .. ' times over it')
      if job.chained == 1 then break end
    else
      units[#units + 1] = unit
    end
  end
  if units[1] then requeue_units(job, units, now) end
  if job.done + job.failed == 0 and not is_leased(job) then set_state(job, 'queued', '') end
  place_job(job)
end

-- End the leases of a rendering process and requeue their units, except leases that `is_kept`.
local function end_leases(holder, is_kept, limit)
  local ended, in_company = {}, {}
  for _, fence in ipairs(redis.call('SMEMBERS', key('held', holder))) do
    local lease = read(key('lease', fence))
    if lease and not is_kept(fence, lease) then
      ended[fence], in_company[fence] = lease, is_in_company(lease)
    end
  end
  for fence, lease in pairs(ended) do
    end_lease(fence, lease)
    requeue_lease(lease, limit, in_company[fence])
  end
end

-- A rendering process has ended.
local function end_process(worker, holder, limit)
  end_leases(holder, function() return false end, limit)
  redis.call('SREM', key('processes', worker), holder)
end

local function lanes_of(worker)
  local lanes, given = {}, decode(redis.call('GET', key('worker', worker))).lanes
  for _, lane in ipairs(type(given) == 'table' and given or {}) do
    if type(lane) == 'string' then lanes[#lanes + 1] = lane end
  end
  return lanes
end

-- Record a worker's description (JSON) and the lanes it serves.
local function set_lanes_of_worker(worker, text)
  for _, lane in ipairs(lanes_of(worker)) do redis.call('SREM', key('lane_workers', lane), worker) end
  redis.call('SET', key('worker', worker), text)
  for _, lane in ipairs(lanes_of(worker)) do redis.call('SADD', key('lane_workers', lane), worker) end
end

-- Set the models that a worker holds.
local function set_warm_models(worker, names)
  local mine, is_held = key('warm_models', worker), {}
  for _, name in ipairs(names) do is_held[name] = true end
  for _, name in ipairs(redis.call('SMEMBERS', mine)) do
    if not is_held[name] then
      redis.call('SREM', key('warm_workers', name), worker)
      redis.call('SREM', mine, name)
    end
    is_held[name] = nil -- what is left is new
  end
  for name in pairs(is_held) do
    redis.call('SADD', key('warm_workers', name), worker)
    redis.call('PEXPIRE', key('warm_workers', name), FORGET_MS)
    redis.call('SADD', mine, name)
    redis.call('PEXPIRE', mine, FORGET_MS)
  end
end

-- Whether a worker gets no slices of a lane as long as another one may draw them.
local function is_blocked(worker, lane)
  return (tonumber(redis.call('ZSCORE', key('blocked', worker), lane)) or 0) > now
end

-- A worker drew a unit: so those that failed at it are at fault, not the unit, and are forgotten. One to which that
-- happened BLOCK_AFTER times in a lane, and that drew nothing since the first of them, is blocked there for a while;
-- longer after each further one. How a process was lost tells nothing: whoever kills a good one sends the same signal
-- as a kernel that is short of memory. So the first block is short.
local function judge_failers(job, unit, lease)
  local mine = string.match(lease.holder, '^(.*)/')
  -- Beats renew it.
  if redis.call('HSET', key('drew', mine), lease.lane, now) == 1 then
    redis.call('PEXPIRE', key('drew', mine), FORGET_MS)
  end
  -- Seldom has anybody failed at anything here.
  if redis.call('EXISTS', key('disproved', mine), key('failers', job.id)) == 0 then return end
  redis.call('HDEL', key('disproved', mine), lease.lane)
  local failers = redis.call('HGET', key('failers', job.id), unit)
  if not failers then return end
  redis.call('HDEL', key('failers', job.id), unit)
  for worker, at in string.gmatch(failers, '(%S+) (%d+)') do
    local drew = tonumber(redis.call('HGET', key('drew', worker), lease.lane)) or 0
    if worker ~= mine and tonumber(at) > drew and not is_blocked(worker, lease.lane) then
      local count = redis.call('HINCRBY', key('disproved', worker), lease.lane, 1)
      redis.call('PEXPIRE', key('disproved', worker), FORGET_MS)
      if count >= BLOCK_AFTER then
        local block_ms = math.min(LONGEST_BLOCK_MS, FIRST_BLOCK_MS * 2 ^ (count - BLOCK_AFTER))
        redis.call('ZADD', key('blocked', worker), now + block_ms, lease.lane)
        redis.call('PEXPIRE', key('blocked', worker), FORGET_MS)
      end
    end
  end
end

-- A process gave a job back because a later version has written it.
local function note_unread(job, holder)
  redis.call('HSET', key('job', job.id), 'unread', 1)
  redis.call('ZADD', key('unread', job.id), now + UNREAD_MS, holder)
  redis.call('PEXPIRE', key('unread', job.id), UNREAD_MS)
end

local function cannot_read(job, holder)
  return job.unread and (tonumber(redis.call('ZSCORE', key('unread', job.id), holder)) or 0) > now
end

-- Remove all records of a worker that is gone.
local function forget_worker(worker)
  redis.call('ZREM', key('workers'), worker)
  set_lanes_of_worker(worker, '{}')
  set_warm_models(worker, {})
  redis.call('DEL', key('worker', worker), key('renderer', worker), key('disproved', worker),
    key('drew', worker), key('blocked', worker), key('life', worker))
end
