-- A worker lives: renew its leases, record its description, learn what each lease should do.
-- KEYS[1] prefix; keys: workers worker held lease leases job
-- ARGV: worker, description (JSON), lease time to live (ms)
-- Returns one {fence, order, step, steps, ms since the last step, lane} per lease;
--         order is 'ok' | 'cancel' | 'yield' | 'lost'
local worker, answers = ARGV[1], {}
redis.call('ZADD', key('workers'), now, worker)
redis.call('SET', key('worker', worker), ARGV[2])
for _, fence in ipairs(redis.call('SMEMBERS', key('held', worker))) do
  local lease = read(key('lease', fence))
  local job = lease and read_job(lease.job)
  local order = 'lost'
  if job then
    redis.call('ZADD', key('leases'), now + tonumber(ARGV[3]), fence)
    order = job.state ~= 'running' and 'cancel' or job.paused == 1 and 'yield' or 'ok'
  end
  lease = lease or {step = 0, steps = 0, step_at = now, lane = ''}
  answers[#answers + 1] = {tonumber(fence), order, lease.step, lease.steps, now - lease.step_at, lease.lane}
end
return answers
