#!lua flags=allow-oom
-- Heartbeat of a worker: renew its leases, record its description, return the directive for each lease.
-- KEYS[1] prefix; keys: life workers lost worker lane_workers renderer counted processes held drew warm_models
--         warm_workers lease leases job paused swept, and those `requeue_lease` touches
-- ARGV: worker, its current rendering process, description (JSON), lease time to live (ms),
--       most attempts, what names this life of the worker or '', it arrives 0|1, least time between two sweeps (ms)
-- Returns nil if another process has arrived under the name since: this one must end. Else
--         {state of the rendering process (JSON or ''), 1 if it has several units in hand, else 0,
--          1 if a sweep is due, else 0,
--          {fence, directive, unit, steps (0: before the first and after the last), ms since the last step,
--           lane} per lease ...}
--         directive is 'ok' | 'cancel' | 'yield' | 'lost'
-- Leases of an earlier process of this worker end here, because that process has ended.
local RENEW_MS = 3600000 -- what lapses a day after the last heartbeat is renewed this often
check_numbers(4, 5, 8)
local worker, holder, limit, own_life = ARGV[1], ARGV[2], tonumber(ARGV[5]), ARGV[6]
local known = redis.call('MGET', key('life', worker), key('worker', worker), key('renderer', worker), key('swept'))
local life, renewed = string.match(known[1] or '', '^(%S+) ?(%d*)$')
if own_life ~= '' and ARGV[7] ~= '1' and life and life ~= own_life then return nil end

-- Without a name of this life nothing tells when that was done last.
local function is_renewed()
  local since = now - (tonumber(renewed) or 0)
  return own_life ~= '' and life == own_life and since >= 0 and since < RENEW_MS
end

local function renew()
  if own_life ~= '' then
    redis.call('SET', key('life', worker), own_life .. string.format(' %.0f', now), 'PX', FORGET_MS)
  end
  local names = {key('renderer', worker), key('counted', worker), key('held', holder), key('processes', worker),
    key('drew', worker), key('warm_models', worker)}
  for _, model in ipairs(redis.call('SMEMBERS', key('warm_models', worker))) do
    names[#names + 1] = key('warm_workers', model)
  end
  for _, name in ipairs(names) do redis.call('PEXPIRE', name, FORGET_MS) end
end

-- Whoever was among the workers all the time is not among the lost.
if redis.call('ZADD', key('workers'), now, worker) == 1 then redis.call('ZREM', key('lost'), worker) end
if known[2] ~= ARGV[3] then set_lanes_of_worker(worker, ARGV[3]) end
for _, other in ipairs(redis.call('SMEMBERS', key('processes', worker))) do
  if other ~= holder then end_process(worker, other, limit) end
end
if not is_renewed() then renew() end
local answer = {known[3] or '', 0, is_sweep_due(tonumber(known[4]) or 0, tonumber(ARGV[8])) and 1 or 0}
local in_hand, kept = 0, {}
for _, fence in ipairs(redis.call('SMEMBERS', key('held', holder))) do
  local lease, _, directive = look_up_directive(fence)
  if lease then
    if directive ~= 'lost' then
      kept[#kept + 1], kept[#kept + 2] = now + tonumber(ARGV[4]), fence
      in_hand = in_hand + count_in_hand(lease)
    end
    local steps = lease.step > 0 and lease.step < lease.steps and lease.steps or 0
    answer[#answer + 1] = {tonumber(fence), directive, lease.at, steps, now - lease.step_at, lease.lane}
  else
    redis.call('SREM', key('held', holder), fence)
  end
end
if kept[1] then redis.call('ZADD', key('leases'), unpack(kept)) end
if in_hand > 1 then answer[2] = 1 end
return answer
