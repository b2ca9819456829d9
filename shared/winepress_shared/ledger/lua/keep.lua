#!lua
-- Record the finished units of a job before it is submitted again to a ledger that lost it. Does nothing if
-- the job is known. What was recorded of it before is forgotten: a recovery that was refused may have left it.
-- KEYS[1] prefix; keys: job done units
-- ARGV: id, then unit/JSON pairs of the outputs
local id = ARGV[1]
if redis.call('EXISTS', key('job', id)) == 1 then return end
for i = 2, #ARGV, 2 do
  check_numbers(i)
  local unit = tonumber(ARGV[i])
  if unit < 0 or unit >= 1000000 or not ARGV[i + 1] then error('refused argument ' .. i) end
end
redis.call('DEL', key('done', id), key('units', id))
for i = 2, #ARGV, 2 do
  redis.call('SETBIT', key('done', id), ARGV[i], 1)
  redis.call('HSET', key('units', id), ARGV[i], ARGV[i + 1])
end
