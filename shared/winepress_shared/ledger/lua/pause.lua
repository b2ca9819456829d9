#!lua flags=allow-oom
-- Pause or resume a user, a lane or the whole farm. Pictures in progress are finished.
-- KEYS[1] prefix; keys: paused leases lease job, and those `bring_user_back` touches
-- ARGV: 'farm' | 'lane:LANE' | 'user:USER', pause 1|0
-- Returns 1 if that changed anything. Holders are notified on the channel directives:HOLDER
local scope, user = ARGV[1], string.match(ARGV[1], '^user:(.*)$')
if ARGV[2] == '0' then
  if user then bring_user_back(user) end
  return redis.call('HDEL', key('paused'), scope)
end
local is_new = redis.call('HSETNX', key('paused'), scope, now)
for _, fence in ipairs(redis.call('ZRANGE', key('leases'), 0, -1)) do
  local lease, _, directive = look_up_directive(fence)
  if directive == 'yield' then redis.call('PUBLISH', key('directives', lease.holder), fence) end
end
return is_new
