#!lua
-- Mark jobs whose steps somebody watches. Whoever draws them hears of a new mark at once.
-- KEYS[1] prefix; keys: watched job_leases lease
-- ARGV: time to live of a mark (ms), ids ...
-- Holders are notified on the channel directives:HOLDER
check_numbers(1)
for i = 2, #ARGV do
  local is_new = redis.call('EXISTS', key('watched', ARGV[i])) == 0
  redis.call('SET', key('watched', ARGV[i]), 1, 'PX', ARGV[1])
  if is_new then tell_holders({id = ARGV[i]}) end
end
