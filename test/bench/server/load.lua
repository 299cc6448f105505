-- wrk's script: the same body in each request (wrk builds it once), and the figures as one line of JSON.
-- Arguments: file of the body, then NAME=VALUE headers.
function init(args)
  local file = assert(io.open(args[1], "rb"))
  wrk.method = "POST"
  wrk.body = file:read("*a")
  file:close()
  for at = 2, #args do
    local name, value = args[at]:match("^([^=]+)=(.*)$")
    wrk.headers[name] = value
  end
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '\nFIGURES {"answers":%d,"seconds":%f,"p50":%f,"p99":%f,"failed":%d}\n',
    summary.requests - errors.status, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    errors.status + errors.connect + errors.read + errors.write + errors.timeout
  ))
end
