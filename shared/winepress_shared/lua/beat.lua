-- A worker lives: renew its leases, record its description, learn what each lease should do.
-- KEYS[1] prefix; keys: workers worker renderer holders held lease leases job
-- ARGV: worker, its rendering process now, description (JSON), lease time to live (ms),
--       most attempts
-- Returns {what the rendering process says of itself (JSON or ''),
--          {fence, order, unit, steps, ms since the last step, lane} per lease ...}
--         order is 'ok' | 'cancel' | 'yield' | 'lost'
--
-- Leases of an earlier process of this worker end here: it is gone, nobody need wait for them.
local worker, holder = ARGV[1], ARGV[2]
redis.call('ZADD', key('workers'), now, worker)
redis.call('SET', key('worker', worker), ARGV[3])
for _, other in ipairs(redis.call('SMEMBERS', key('holders', worker))) do
  if other ~= holder then
    for _, fence in ipairs(redis.call('SMEMBERS', key('held', other))) do
      local lease = read(key('lease', fence))
      if lease then end_lease(fence, lease, true, tonumber(ARGV[5])) end
    end
    redis.call('DEL', key('held', other))
    redis.call('SREM', key('holders', worker), other)
  end
end
local answer = {redis.call('GET', key('renderer', worker)) or ''}
for _, fence in ipairs(redis.call('SMEMBERS', key('held', holder))) do
  local lease = read(key('lease', fence))
  local job = lease and read_job(lease.job)
  local order = 'lost'
  if job then
    redis.call('ZADD', key('leases'), now + tonumber(ARGV[4]), fence)
    order = job.state ~= 'running' and 'cancel' or job.paused == 1 and 'yield' or 'ok'
  end
  lease = lease or {at = '', steps = 0, step_at = now, lane = ''}
  answer[#answer + 1] = {tonumber(fence), order, lease.at, lease.steps, now - lease.step_at, lease.lane}
end
return answer
