# shellcheck shell=bash
# Processes of the node by component name: one pid file (as seen inside the node) and one log each.

# start_process NAME COMMAND...: returns when the process has its number.
start_process() {
  local name=$1
  shift
  rm -f "$DIR/pids/$name"
  # shellcheck disable=SC2016
  enter_node setsid --fork sh -c 'echo $$ > "$0" && exec "$@"' "/run/node/pids/$name" "$@" \
    >> "$DIR/log/$name.log" 2>&1 < /dev/null
  wait_for 10 "$name to start" test -s "$DIR/pids/$name"
}

signal_process() {
  [[ -s $DIR/pids/$1 ]] || die "$1 has never been started"
  enter_node kill "-$2" "$(< "$DIR/pids/$1")"
}

process_is_gone() {
  [[ ! -s $DIR/pids/$1 ]] || ! enter_node kill -0 "$(< "$DIR/pids/$1")" 2> /dev/null
}

# The API server would wait a minute for its watches to end: after a few seconds it is killed, as a kubelet would.
stop_process() {
  local deadline=$((SECONDS + 3))
  ! process_is_gone "$1" || return 0
  signal_process "$1" TERM
  until process_is_gone "$1"; do
    ((SECONDS < deadline)) || signal_process "$1" KILL
    sleep 0.1
  done
}
