#!lua flags=allow-oom
-- Heartbeat of a worker: renew its leases, record its description, return the directive for each lease.
-- KEYS[1] prefix; keys: life workers lost worker lane_workers renderer counted processes held lease leases
--         job, and those `requeue_lease` touches
-- ARGV: worker, its current rendering process, description (JSON), lease time to live (ms),
--       most attempts, what names this life of the worker or '', it arrives 0|1
-- Returns nil if another process has arrived under the name since: this one must end. Else
--         {state of the rendering process (JSON or ''), 1 if it has several units in hand, else 0,
--          {fence, directive, unit, steps (0: before the first and after the last), ms since the last step,
--           lane} per lease ...}
--         directive is 'ok' | 'cancel' | 'yield' | 'lost'
-- Leases of an earlier process of this worker end here, because that process has ended.
check_numbers(4, 5)
local worker, holder, limit = ARGV[1], ARGV[2], tonumber(ARGV[5])
if ARGV[6] ~= '' then
  local life = redis.call('GET', key('life', worker))
  if ARGV[7] ~= '1' and life and life ~= ARGV[6] then return nil end
  redis.call('SET', key('life', worker), ARGV[6], 'PX', FORGET_MS)
end
redis.call('ZADD', key('workers'), now, worker)
redis.call('ZREM', key('lost'), worker)
if redis.call('GET', key('worker', worker)) ~= ARGV[3] then set_lanes_of_worker(worker, ARGV[3]) end
for _, other in ipairs(redis.call('SMEMBERS', key('processes', worker))) do
  if other ~= holder then end_process(worker, other, limit) end
end
local answer, in_hand = {redis.call('GET', key('renderer', worker)) or '', 0}, 0
redis.call('PEXPIRE', key('renderer', worker), FORGET_MS)
redis.call('PEXPIRE', key('counted', worker), FORGET_MS)
redis.call('PEXPIRE', key('held', holder), FORGET_MS)
redis.call('PEXPIRE', key('processes', worker), FORGET_MS)
for _, fence in ipairs(redis.call('SMEMBERS', key('held', holder))) do
  local lease, _, directive = look_up_lease(fence)
  if lease then
    if directive ~= 'lost' then
      redis.call('ZADD', key('leases'), now + tonumber(ARGV[4]), fence)
      in_hand = in_hand + count_in_hand(lease)
    end
    local steps = lease.step > 0 and lease.step < lease.steps and lease.steps or 0
    answer[#answer + 1] = {tonumber(fence), directive, lease.at, steps, now - lease.step_at, lease.lane}
  else
    redis.call('SREM', key('held', holder), fence)
  end
end
if in_hand > 1 then answer[2] = 1 end
return answer
