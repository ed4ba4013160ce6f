# shellcheck shell=bash
# The API server on the host's loopback: one process a connection, into the node's network. It accepts connections
# also while the API server is stopped, and then closes them.

start_relay() {
  local log=$DIR/log/relay.log
  setsid socat -d -d "TCP-LISTEN:${CLUSTER_API_PORT:-0},bind=127.0.0.1,reuseaddr,backlog=128,fork" \
    "EXEC:nsenter --target $(< "$DIR/node-pid") --net socat - TCP\:$NODE_IP\:6443" > "$log" 2>&1 < /dev/null &
  echo $! > "$DIR/relay-pid"
  wait_for 10 "the relay to listen" grep -q 'listening on' "$log"
  sed -n 's/.*listening on .*127\.0\.0\.1:\([0-9]*\).*/\1/p' "$log" | head -n 1 > "$DIR/api-port"
}

# The relay leads a process group: its connections end with it.
stop_relay() {
  local pid
  [[ -s $DIR/relay-pid ]] || return 0
  pid=$(< "$DIR/relay-pid")
  ! process_is "$pid" socat || kill -KILL -- "-$pid"
}
