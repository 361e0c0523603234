-- What HAProxy's own rules cannot say: routing/decide.ts and routing/admit.ts for one request at a time, with the load
-- that peers tell, token buckets and strides. HAProxy's rules (frontends.ts, backends.ts) name what these files register.

math.randomseed(math.floor(require("live").now() * 1000) % 2147483647)

require("calls")
require("answers")
require("peer-key")
require("one-hop")
require("agent")
require("trace")
