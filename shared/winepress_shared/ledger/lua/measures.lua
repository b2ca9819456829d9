#!lua flags=no-writes
-- What metrics tell of the farm, but for its workers and the slices in hand, which `snapshot` returns.
-- KEYS[1] prefix; keys: job_counts work_counts delivery_counts jobs open limits leases pending paused lanes
--         priority_served ready job outbox deliverers, and the broker's lists of the lanes
-- ARGV: most lanes returned, prefix of the broker's queues, a deliverer is gone if not heard of for (ms)
-- Returns JSON: job_counts, work_counts, delivery_counts: names and numbers (text); picture_s, job_s: the bounds
--         of their buckets; jobs, how many are in each state; open, units that have not ended; queue_limit;
--         slices in hand; pending submissions; pauses, names in `paused`; webhooks: waiting, due, overdue_ms, of
--         the one that is due for longest, deliverers; lanes, those with the most units first: lane, waiting,
--         oldest_ms since the oldest of their jobs that was looked at was accepted, cost, the mean of these jobs;
--         served_ms, priority and time since it last got a slice or began to wait ...; tickets queued;
--         other_lanes, units waiting in all others
local USERS_LOOKED_AT = 32 -- of each priority of a lane, one job of each
local looks_left = 2000 -- at jobs of all lanes, which bounds the time that this takes
local most, queues = tonumber(ARGV[1]), ARGV[2]
check_numbers(1, 3)

local function look_at_jobs(lane, priority, found)
  local most_looks = math.min(USERS_LOOKED_AT, looks_left)
  if most_looks == 0 then return end
  for _, user in ipairs(redis.call('ZRANGE', key('ready', lane, priority), 0, most_looks - 1)) do
    looks_left = looks_left - 1
    local id = redis.call('ZRANGE', key('ready', lane, priority, user), 0, 0)[1]
    local job = id and redis.call('HMGET', key('job', id), 'created', 'cost') or {}
    local created = amount(job[1])
    if created > 0 then
      found.oldest = math.min(found.oldest, created)
      found.cost, found.jobs = found.cost + amount(job[2]), found.jobs + 1
    end
  end
end

local function measure(lane, waiting)
  local served_ms, found = {}, {oldest = now, cost = 0, jobs = 0}
  local served = redis.call('HGETALL', key('priority_served', lane))
  for i = 1, #served, 2 do
    local priority, at = tonumber(served[i]), amount(served[i + 1])
    if priority and priority >= 0 and priority <= 2 and at > 0 then
      served_ms[#served_ms + 1] = {priority, math.max(0, now - at)}
      look_at_jobs(lane, priority, found)
    end
  end
  return {lane = lane, waiting = waiting, oldest_ms = math.max(0, now - found.oldest),
    cost = found.cost / math.max(1, found.jobs), served_ms = served_ms,
    tickets = redis.call('LLEN', queues .. lane)}
end

local waiting, lanes, other_lanes = {}, {}, 0
local flat = redis.call('HGETALL', key('lanes'))
for i = 1, #flat, 2 do waiting[#waiting + 1] = {flat[i], math.max(0, amount(flat[i + 1]))} end
table.sort(waiting, function(one, other)
  if one[2] ~= other[2] then return one[2] > other[2] end
  return one[1] < other[1]
end)
for place, one in ipairs(waiting) do
  if place <= most then
    lanes[place] = measure(one[1], one[2])
  else
    other_lanes = other_lanes + one[2]
  end
end

local jobs = {}
for _, state in ipairs({'queued', 'running', 'succeeded', 'failed', 'canceled', 'expired'}) do
  jobs[state] = redis.call('ZCARD', key('jobs', state))
end
local longest = redis.call('ZRANGE', key('outbox'), 0, 0, 'WITHSCORES')
local webhooks = {waiting = redis.call('ZCARD', key('outbox')),
  due = redis.call('ZCOUNT', key('outbox'), '-inf', now),
  overdue_ms = math.max(0, now - (tonumber(longest[2]) or now)),
  deliverers = redis.call('ZCOUNT', key('deliverers'), now - ARGV[3], '+inf')}

return cjson.encode({picture_s = PICTURE_S, job_s = JOB_S, jobs = jobs, webhooks = webhooks, lanes = lanes,
  job_counts = redis.call('HGETALL', key('job_counts')),
  work_counts = redis.call('HGETALL', key('work_counts')),
  delivery_counts = redis.call('HGETALL', key('delivery_counts')),
  open = amount(redis.call('GET', key('open'))), queue_limit = amount(limit_of('queue_limit')),
  slices = redis.call('ZCARD', key('leases')), pending = redis.call('ZCARD', key('pending')),
  pauses = redis.call('HKEYS', key('paused')), other_lanes = other_lanes})
