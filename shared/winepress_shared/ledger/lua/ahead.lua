#!lua flags=no-writes
-- The work ahead of a job in its lane, or of one submitted there now.
-- KEYS[1] prefix; keys: job ready waits slices limits parked paused lane_workers leases lease
-- ARGV: lane, priority, user, id or '', most jobs to sum exactly
-- Returns JSON: jobs, the earlier ones of the same user and priority; mine, units waiting in those;
--         higher, units waiting in higher priorities; slices of the user being rendered; most_slices, how
--         many they may be (0: any number); parked, why it is, or ''; paused, names in `paused` that hold
--         the job back; others, units of each other user of the priority; in_hand, every slice of other
--         jobs that a worker of the lane has: worker, lane, priority (0: it does not give way), units
local lane, priority, user, own, looked_at = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4], tonumber(ARGV[5])
local mine, units = key('ready', lane, priority, user), 0
local rank = own == '' and redis.call('ZCARD', mine) or redis.call('ZRANK', mine, own) or 0
for place, id in ipairs(redis.call('ZRANGE', mine, 0, looked_at - 1)) do
  if place <= rank then units = units + (tonumber(redis.call('HGET', key('job', id), 'ready')) or 0) end
end
-- With more jobs than that, the total is extrapolated.
if rank > looked_at then units = math.ceil(units * rank / looked_at) end
local higher = 0
for above = 0, priority - 1 do
  for _, count in ipairs(redis.call('HVALS', key('waits', lane, above))) do higher = higher + count end
end
local paused, others, in_hand = {}, {}, {}
for _, scope in ipairs({'farm', 'lane:' .. lane, 'user:' .. user}) do
  if redis.call('HEXISTS', key('paused'), scope) == 1 then paused[#paused + 1] = scope end
end
local waits = redis.call('HGETALL', key('waits', lane, priority))
for i = 1, #waits, 2 do
  if waits[i] ~= user then others[#others + 1] = tonumber(waits[i + 1]) end
end

local function add_slice(worker, lease)
  local units = 0
  each_range(lease.open, function(first, last) units = units + last - first + 1 end)
  if units == 0 then return end
  local its = lease.firm == 1 and 0 or tonumber(redis.call('HGET', key('job', lease.job), 'priority')) or 0
  in_hand[#in_hand + 1] = {worker = worker, lane = lease.lane, priority = its, units = units}
end

for _, fence in ipairs(redis.call('ZRANGE', key('leases'), 0, -1)) do
  local lease = read(key('lease', fence))
  -- Without a user, all of it is rendered and being delivered.
  if lease and lease.user and lease.job ~= own then
    local worker = string.match(lease.holder, '^(.*)/')
    if redis.call('SISMEMBER', key('lane_workers', lane), worker) == 1 then add_slice(worker, lease) end
  end
end
return cjson.encode({jobs = rank, mine = units, higher = higher,
  slices = tonumber(redis.call('HGET', key('slices'), user)) or 0,
  most_slices = limit_of('user_running_limit'), parked = redis.call('GET', key('parked', lane)) or '',
  paused = paused, others = others, in_hand = in_hand})
