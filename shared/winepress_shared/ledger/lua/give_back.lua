#!lua flags=allow-oom
-- Give back what `reserve` has reserved for jobs that were not accepted.
-- KEYS[1] prefix; keys: key_jobs key_units key_steps
-- ARGV: id of the key, day of the reservation, megapixel-steps of these jobs, id of each job ...
local FIRST_JOB = 4
check_numbers(2)
local steps = tonumber(ARGV[3])
if not (steps and steps >= 0 and steps < math.huge) then error('refused argument steps') end
local spent = key('key_steps', ARGV[1], ARGV[2])
if steps > 0 and redis.call('EXISTS', spent) == 1 then redis.call('INCRBYFLOAT', spent, -steps) end
local units = 0
for i = FIRST_JOB, #ARGV do
  local reserved = redis.call('HGET', key('key_jobs', ARGV[1]), ARGV[i])
  units = units + (tonumber(string.match(reserved or '', '^%d+')) or 0)
  redis.call('HDEL', key('key_jobs', ARGV[1]), ARGV[i])
end
if units > 0 then redis.call('DECRBY', key('key_units', ARGV[1]), units) end
