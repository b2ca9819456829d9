#!lua flags=allow-oom
-- Start the first unit of the first slice that a request just got, like `start`; sent together with `claim`, when
-- the sender does not know the fence yet. A unit that was started before is left to `start`: the units in
-- progress on its worker must end first.
-- KEYS[1] prefix; keys: last_request lease job paused attempts events
-- ARGV: rendering process, nonce of the request
-- Returns 1 if the unit is started, else 0
local asked = redis.call('GET', key('last_request', ARGV[1])) or ''
local fence = string.match(asked, '^' .. ARGV[2] .. ' (%d+)')
local lease, job, directive = look_up_lease(fence or '')
local first = directive == 'ok' and first_of(lease.open)
if not first then return 0 end
if not is_begun(lease, first) and lease.again == 1 then return 0 end
begin_unit(fence, lease, job, first)
return 1
