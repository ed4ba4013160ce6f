# shellcheck shell=bash
# The node: a set of namespaces and cgroups, held by one first process. Inside it, $CLUSTER_DIR is /run/node and the
# cached programs are in /run/bin, wherever they are on the host.

start_node() {
  mkdir -p "$DIR"/{bin,certs,lib,log,pids,pod-logs}
  ln -s "$KUBERNETES_BIN/kubectl" "$DIR/bin/kubectl"
  cp -r "$HERE/etc" "$DIR/etc"
  make_cgroups
  (
    join_cgroups
    exec setsid unshare --cgroup --mount --net --uts --ipc --pid --fork --kill-child --mount-proc --propagation private \
      bash "$HERE/node-init" "$DIR" "$NODE_IP" "$KUBERNETES_BIN" "$ETCD_BIN" "$COREDNS_BIN" "$PAUSE_BIN"
  ) > "$DIR/log/node.log" 2>&1 < /dev/null &
  local outer=$!
  echo "$outer" > "$DIR/outer-pid"
  wait_for 20 "the node's namespaces ($DIR/log/node.log)" test -e "$DIR/node-ready"
  tr -d ' ' < "/proc/$outer/task/$outer/children" > "$DIR/node-pid"
}

# The end of the first process is the end of every process in its namespace.
stop_node() {
  if [[ -s $DIR/outer-pid ]] && process_is "$(< "$DIR/outer-pid")" unshare; then
    kill -KILL "$(< "$DIR/outer-pid")"
  fi
  [[ ! -e $DIR/cgroups ]] || wait_for 30 "the node's cgroups to empty" remove_cgroups
}

node_is_alive() {
  [[ -s $DIR/outer-pid && -s $DIR/node-pid ]] && process_is "$(< "$DIR/outer-pid")" unshare
}

# A number in a file may belong to another process by now.
process_is() {
  [[ $(cat "/proc/$1/comm" 2> /dev/null) == "$2" ]]
}

require_node() {
  node_is_alive || die "no cluster in $DIR (run: cluster up)"
}

# enter_node COMMAND...: runs it in the node's cgroups and namespaces.
enter_node() (
  join_cgroups
  exec nsenter --target "$(< "$DIR/node-pid")" --mount --net --uts --ipc --pid --cgroup \
    env "PATH=/run/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" KUBECONFIG=/run/node/etc/node.kubeconfig "$@"
)

# The folder of this process in a controller's hierarchy; nothing if there is no such hierarchy.
own_cgroup() {
  local path
  path=$(awk -F: -v name="$1" '$2 == name || $2 == "name=" name { print $3 }' /proc/self/cgroup)
  if [[ -n $path ]]; then
    echo "/sys/fs/cgroup/$1${path%/}"
  fi
}

make_cgroups() {
  local controller parent
  for controller in "${CGROUP_CONTROLLERS[@]}"; do
    parent=$(own_cgroup "$controller")
    mkdir -p "$parent/$CGROUP_NAME"
    echo "$parent/$CGROUP_NAME" >> "$DIR/cgroups"
    if [[ $controller == cpuset ]]; then
      cat "$parent/cpuset.cpus" > "$parent/$CGROUP_NAME/cpuset.cpus"
      cat "$parent/cpuset.mems" > "$parent/$CGROUP_NAME/cpuset.mems"
    fi
  done
}

join_cgroups() {
  local cgroup
  while read -r cgroup; do
    echo "$BASHPID" > "$cgroup/cgroup.procs"
  done < "$DIR/cgroups"
}

remove_cgroups() {
  local cgroup left=0
  while read -r cgroup; do
    [[ ! -d $cgroup ]] || find "$cgroup" -depth -type d -exec rmdir {} + || left=1
  done < "$DIR/cgroups"
  return "$left"
}
