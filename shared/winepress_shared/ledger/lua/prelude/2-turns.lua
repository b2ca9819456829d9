-- Part of every script: the turns of users in a lane, and users who are set aside.

-- Whether the farm, a lane or a user is paused.
local function is_paused(lane, user)
  local found = redis.call('HMGET', key('paused'), 'farm', 'lane:' .. lane, 'user:' .. (user or ''))
  return (found[1] or found[2] or found[3]) and true or false
end

-- Whether no slices of a lane are given out.
local function is_closed(lane)
  -- In most farms nothing is parked or paused at the moment.
  if redis.call('EXISTS', key('parked', lane), key('paused')) == 0 then return false end
  return redis.call('EXISTS', key('parked', lane)) == 1 or is_paused(lane)
end

-- Where a higher priority than that of a job waits: 'here' in its lane, 'elsewhere' in another lane that its
-- worker serves, or nil.
local function where_higher_waits(job, worker)
  local function waits_in(lane)
    local found = redis.call('HMGET', key('priority_served', lane), 0, job.priority - 1)
    return (found[1] or found[2]) and not is_closed(lane)
  end
  if job.priority == 0 then return nil end
  if waits_in(job.lane) then return 'here' end
  for priority = 0, job.priority - 1 do
    for _, lane in ipairs(redis.call('SMEMBERS', key('waiting_lanes', priority))) do
      local serves = lane ~= job.lane and redis.call('SISMEMBER', key('lane_workers', lane), worker) == 1
      if serves and waits_in(lane) then return 'elsewhere' end
    end
  end
end

-- A priority begins to wait in a lane, if it does not yet.
local function open_priority(lane, priority)
  redis.call('HSETNX', key('priority_served', lane), priority, now)
  redis.call('SADD', key('waiting_lanes', priority), lane)
end

local counted_lanes = {} -- LANE → units that claims can find there, as far as this script knows

-- Change the number of units that claims can find in a lane.
local function count_in_lane(lane, change)
  if change == 0 then return end
  counted_lanes[lane] = redis.call('HINCRBY', key('lanes'), lane, change)
  if counted_lanes[lane] == 0 then
    redis.call('HDEL', key('lanes'), lane)
    redis.call('HDEL', key('lane_served'), lane)
  end
end

-- Units that claims can find in a lane.
local function units_in(lane)
  return counted_lanes[lane] or tonumber(redis.call('HGET', key('lanes'), lane)) or 0
end

local function is_set_aside(lane, priority, user)
  return redis.call('HEXISTS', key('aside', user), lane .. ':' .. priority) == 1
end

local function count_waiting(lane, priority, user, change, is_aside)
  local waits = key('waits', lane, priority)
  if redis.call('HINCRBY', waits, user, change) <= 0 then redis.call('HDEL', waits, user) end
  if not is_aside then count_in_lane(lane, change) end
end

-- A user who was not waiting joins at the end; a waiting user keeps their turn. None that is set aside joins.
local function join_priority(lane, priority, user)
  local users = key('ready', lane, priority)
  if not redis.call('ZSCORE', users, user) then
    redis.call('ZADD', users, redis.call('INCR', key('turn')), user)
  end
  open_priority(lane, priority)
end

local function leave_priority(lane, priority, user)
  local users = key('ready', lane, priority)
  redis.call('ZREM', users, user)
  if redis.call('EXISTS', users) == 0 then
    redis.call('HDEL', key('priority_served', lane), priority)
    redis.call('SREM', key('waiting_lanes', priority), lane)
  end
end

-- Set aside a user who has work but may not have more slices, so that claims need not check them.
local function set_user_aside(lane, priority, user)
  local turn = redis.call('ZSCORE', key('ready', lane, priority), user)
  leave_priority(lane, priority, user)
  redis.call('HSET', key('aside', user), lane .. ':' .. priority, turn)
  count_in_lane(lane, -(tonumber(redis.call('HGET', key('waits', lane, priority), user)) or 0))
end

-- The user joins all lanes again with their former turns.
local function bring_user_back(user)
  local flat = redis.call('HGETALL', key('aside', user))
  if flat[1] then redis.call('DEL', key('aside', user)) end
  for i = 1, #flat, 2 do
    local lane, priority = string.match(flat[i], '^(.*):(%d+)$')
    redis.call('ZADD', key('ready', lane, priority), flat[i + 1], user)
    open_priority(lane, priority)
    count_in_lane(lane, tonumber(redis.call('HGET', key('waits', lane, priority), user)) or 0)
  end
end

-- Count one more (1) or one less (-1) slice of a user being rendered.
local function count_slice(user, change)
  if redis.call('HINCRBY', key('slices'), user, change) <= 0 then redis.call('HDEL', key('slices'), user) end
  if change < 0 then bring_user_back(user) end
end
