#!lua
-- Enter a job: write its row and place it, or hold it until `accept`. For a job submitted again after the
-- ledger was lost, `keep` has recorded its finished units: the others are retries.
-- KEYS[1] prefix; keys: idem job jobs done retry units expiries pending withdrawn limits turn workers, the
--         broker's list of the lane, and those `place_job` touches: due ready waits aside
--         priority_served waiting_lanes lanes open open_by_user
-- ARGV: id, idempotency key or '', digest, time to live of that key (ms), deadline and start in ms from
--       now or 0, prefix of the broker's queues,
--       'enter' | 'hold' (until `accept`) | 'beside' (the same, though a pending job has the key),
--       then field/value pairs of the row
-- Returns {'accepted'|'known', id, units left, workers of the farm, tickets queued in the lane} or
--         {'pending'|'conflict'|'withdrawn'|'full'|'user-full', id, units of the farm or of the user that
--          have not ended, their limit}
local FIRST_FIELD = 9
local id, idem, digest = ARGV[1], ARGV[2], ARGV[3]
local NAME, LEAST_AND_MOST = '^[%w][%w._@-]*$', {priority = {0, 2}, units = {1, 1000000}, chained = {0, 1},
  opens = {0, 1439}, closes = {0, 1439}, max_failed = {0, 1000000}, together = {1, 8}}
local row = {}
check_numbers(4, 5, 6)
for i = FIRST_FIELD, #ARGV, 2 do
  local name, range_of = ARGV[i], LEAST_AND_MOST[ARGV[i]]
  row[name] = ARGV[i + 1]
  if range_of then
    check_numbers(i + 1)
    local number = tonumber(row[name])
    if number < range_of[1] or number > range_of[2] then error('refused argument ' .. name) end
  elseif name == 'cost' then
    local cost = tonumber(row.cost)
    if not (cost and cost >= 0 and cost < math.huge) then error('refused argument cost') end
  elseif not string.match(row[name] or '', NAME) then
    error('refused argument ' .. name)
  end
end
for _, name in ipairs({'kind', 'lane', 'user', 'priority', 'units', 'chained'}) do
  if not row[name] then error('refused argument, missing ' .. name) end
end
if not string.match(id, NAME) or #id > 64 then error('refused argument id') end
if not row.opens ~= not row.closes then error('refused argument opens') end
local mode, MODES = ARGV[8], {enter = 1, hold = 1, beside = 1}
if not MODES[mode] then error('refused argument mode') end
local units, deadline, start = tonumber(row.units), tonumber(ARGV[5]), tonumber(ARGV[6])
local queued, workers = redis.call('LLEN', ARGV[7] .. row.lane), redis.call('ZCARD', key('workers'))

-- A queued ticket will be taken after this, so it counts for this job too.
local function entered(answer, job_id, left)
  return {answer, job_id, left, workers, queued}
end

local open = tonumber(redis.call('GET', key('open'))) or 0
local opened = tonumber(redis.call('HGET', key('open_by_user'), row.user)) or 0
local rival = nil -- a pending job that has the key; whichever is accepted first keeps it
if idem ~= '' then
  local known_id, known_digest = owner_of_key(row.user, idem)
  if known_id and known_digest ~= digest then return {'conflict', known_id, open, 0} end
  if known_id and known_id ~= id then
    local told = not is_pending(known_id) and entered('known', known_id, units)
      or mode == 'hold' and {'pending', known_id, open, 0}
    if told then
      redis.call('HSET', key('job', known_id), 'shared', 1)
      return told
    end
    rival = known_id
  end
end
if redis.call('EXISTS', key('job', id)) == 1 then return entered('known', id, units) end
if redis.call('ZSCORE', key('withdrawn'), id) then return {'withdrawn', id, open, 0} end
local most, users_most = limit_of('queue_limit'), limit_of('user_queue_limit')
if open + units > most then return {'full', id, open, most} end
if opened + units > users_most then return {'user-full', id, opened, users_most} end
if redis.call('ZSCORE', key('ready', row.lane, row.priority, row.user), id) then
  drop_lost_job(row.lane, row.priority, row.user, id)
end
if idem ~= '' and not (rival and mode == 'beside') then take_key(row.user, idem, id, digest, ARGV[4]) end
-- By turn, not by time: two jobs of the same millisecond need an order too.
local order = redis.call('INCR', key('turn'))
local done = redis.call('BITCOUNT', key('done', id))
local fields = {'state', 'queued', 'done', done, 'failed', 0,
  'cursor', done > 0 and units or 0, 'created', now, 'started', 0, 'finished', 0, 'paused', 0,
  'ready', 0, 'reason', '', 'order', order, 'expires', deadline > 0 and now + deadline or 0}
local function add_fields(...)
  for _, one in ipairs({...}) do fields[#fields + 1] = one end
end
-- The caller's come before those that are not the caller's to decide.
add_fields(unpack(ARGV, FIRST_FIELD))
if start > 0 then add_fields('starts', now + start) end
if mode ~= 'enter' then add_fields('pending', 1) end
if mode ~= 'enter' and idem ~= '' then add_fields('idem', idem, 'digest', digest) end
redis.call('HSET', key('job', id), unpack(fields))
if mode ~= 'enter' then
  redis.call('ZADD', key('pending'), now + LOOK_MS, id)
elseif deadline > 0 then
  redis.call('ZADD', key('expiries'), now + deadline, id)
end
redis.call('ZADD', key('jobs'), order, id)
redis.call('ZADD', key('jobs', 'queued'), order, id)
local job = read_job(id)
if done > 0 then requeue_missing(job) end
place_job(job)
if mode == 'enter' then count_accepted(job, units - done) end
return entered('accepted', id, units - done)
