#!lua flags=allow-oom
-- A worker begins one unit of its slice. Units are begun in their order.
-- KEYS[1] prefix; keys: lease job attempts events
-- ARGV: fence, unit
-- Returns 'ok' | 'lost' | 'cancel' | 'yield'
local fence, unit = ARGV[1], tonumber(ARGV[2])
local lease, job, order = look_up(fence)
if order ~= 'ok' then return order end
if not without(lease.open, unit) then return 'lost' end
begin(fence, lease, job, unit)
return 'ok'
