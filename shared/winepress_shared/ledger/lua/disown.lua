#!lua flags=allow-oom
-- End the slices of which a rendering process has fewer open units than the ledger. A server restored
-- without its last writes counts finished units as open: its append-only file is behind by a second, a
-- replica by some commands. No process would render those, and the heartbeats would keep them leased.
-- Nothing happens if it is late: the process may have claimed since.
-- KEYS[1] prefix; keys: held heard lease, and those `end_leases` touches
-- ARGV: rendering process, its life (hex), number of this message in it, then for each slice: fence, units as ranges
check_numbers(3)
if is_late(ARGV[1], ARGV[2], ARGV[3]) then return end
local in_hand = {}
for i = 4, #ARGV, 2 do
  in_hand[ARGV[i]] = {}
  for _, unit in ipairs(units_of(ARGV[i + 1])) do in_hand[ARGV[i]][unit] = true end
end
end_leases(ARGV[1], function(fence, lease)
  local mine = in_hand[fence]
  for _, unit in ipairs(mine and units_of(lease.open) or {}) do
    if not mine[unit] then return false end
  end
  return mine ~= nil
end)
