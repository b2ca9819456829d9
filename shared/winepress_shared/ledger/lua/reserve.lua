#!lua
-- Reserve units and megapixel-steps of a key of the gateway for jobs that are about to be submitted, or none.
-- A job whose idempotency key is known will not be accepted anew, so nothing is reserved for it.
-- KEYS[1] prefix; keys: key_jobs key_units key_counted key_steps job idem
-- ARGV: id of the key, most units that have not ended (0: any number), most megapixel-steps in a day (0: any
--       number), then id, units, megapixel-steps, user and idempotency key or '' of each job ...
-- Returns {'reserved', day, id of each job for which something was reserved ...},
--         {'units', units that have not ended} or
--         {'steps', megapixel-steps of today (text), ms until tomorrow}
local FIRST_JOB, FIELDS = 4, 5
local UNDER_WAY_MS = 600000 -- a submission that has not entered its job after this has failed
local COUNTED_MS = 1000 -- a key at its limit has its jobs counted this often at most
local KEPT_MS = 30 * DAY_MS
check_numbers(2)
local most_units, most_steps = tonumber(ARGV[2]), tonumber(ARGV[3])
if not most_steps then error('refused argument 3') end
local jobs, held = key('key_jobs', ARGV[1]), key('key_units', ARGV[1])
local day = math.floor(now / DAY_MS)
local spent_today = key('key_steps', ARGV[1], day)

-- Units of the key's jobs that have not ended, by their rows; forgets the jobs without any.
local function count_units()
  local flat, sum = redis.call('HGETALL', jobs), 0
  for i = 1, #flat, 2 do
    local reserved, at = string.match(flat[i + 1], '^(%d+) (%d+)$')
    local row = redis.call('HMGET', key('job', flat[i]), 'state', 'left')
    local left = tonumber(row[2]) or 0
    if not row[1] then left = at and now - at < UNDER_WAY_MS and tonumber(reserved) or 0 end
    if left == 0 then redis.call('HDEL', jobs, flat[i]) end
    sum = sum + left
  end
  redis.call('SET', held, sum, 'PX', KEPT_MS)
  redis.call('SET', key('key_counted', ARGV[1]), 1, 'PX', COUNTED_MS)
  return sum
end

local function is_known(user, idem)
  local known = idem ~= '' and redis.call('GET', key('idem', user, idem))
  return known and redis.call('EXISTS', key('job', string.match(known, '^%S+'))) == 1
end

local answer, places, units, steps = {'reserved', day}, {}, 0, 0
for i = FIRST_JOB, #ARGV, FIELDS do
  check_numbers(i + 1)
  local cost = tonumber(ARGV[i + 2])
  if not (cost and cost >= 0 and cost < math.huge) then error('refused argument ' .. i + 2) end
  if not is_known(ARGV[i + 3], ARGV[i + 4]) then
    units, steps = units + tonumber(ARGV[i + 1]), steps + cost
    places[#places + 1], answer[#answer + 1] = i, ARGV[i]
  end
end
if most_units > 0 then
  local open = tonumber(redis.call('GET', held)) or 0
  if open + units > most_units and redis.call('EXISTS', key('key_counted', ARGV[1])) == 0 then
    open = count_units()
  end
  if units > 0 and open + units > most_units then return {'units', open} end
end
local spent = tonumber(redis.call('GET', spent_today)) or 0
if most_steps > 0 and steps > 0 then
  if spent + steps > most_steps then
    return {'steps', tostring(spent), DAY_MS - now % DAY_MS}
  end
  redis.call('INCRBYFLOAT', spent_today, steps)
  redis.call('PEXPIRE', spent_today, 2 * DAY_MS)
end
if most_units > 0 and units > 0 then
  for _, i in ipairs(places) do redis.call('HSET', jobs, ARGV[i], ARGV[i + 1] .. ' ' .. now) end
  redis.call('INCRBY', held, units)
  redis.call('PEXPIRE', held, KEPT_MS)
  redis.call('PEXPIRE', jobs, KEPT_MS)
end
return answer
