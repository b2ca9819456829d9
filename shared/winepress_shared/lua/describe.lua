#!lua flags=allow-oom
-- Record what a rendering process says of itself. Kept while its worker beats.
-- KEYS[1] prefix; keys: renderer
-- ARGV: worker, description (JSON)
redis.call('SET', key('renderer', ARGV[1]), ARGV[2], 'PX', FORGET_MS)
