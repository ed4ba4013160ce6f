# shellcheck shell=bash
# Ending with a message, and waiting for a condition.

die() {
  echo "cluster: $*" >&2
  exit 1
}

# wait_for SECONDS WHAT COMMAND...: polls until the command succeeds.
wait_for() {
  local deadline=$((SECONDS + $1)) what=$2
  shift 2
  until "$@" > /dev/null 2>&1; do
    ((SECONDS < deadline)) || die "waited in vain for $what; see: cluster logs"
    sleep 0.1
  done
}
