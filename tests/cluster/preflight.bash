# shellcheck shell=bash
# What the machine must have. Everything missing is named at once, before anything is started.

# Commands of the host, with the Debian package of each.
HOST_COMMANDS=(
  containerd:containerd ctr:containerd runc:runc iptables:iptables conntrack:conntrack socat:socat ip:iproute2
  ethtool:ethtool jq:jq openssl:openssl nsenter:util-linux unshare:util-linux sysctl:procps
)

require_host() {
  [[ $(id -u) == 0 ]] || die "must be root: the node needs namespaces and mounts"
  require_cgroups
  local entry missing=()
  for entry in "${HOST_COMMANDS[@]}"; do
    command -v "${entry%%:*}" > /dev/null || missing+=("${entry#*:}")
  done
  [[ -x /usr/lib/cni/bridge ]] || missing+=(containernetworking-plugins)
  ((${#missing[@]} == 0)) ||
    die "missing: $(printf '%s\n' "${missing[@]}" | sort -u | tr '\n' ' ')(apt-get install --no-install-recommends)"
}

require_cgroups() {
  local controller
  for controller in "${CGROUP_CONTROLLERS[@]}"; do
    [[ -n $(own_cgroup "$controller") ]] ||
      die "no cgroup v1 hierarchy for $controller: the node works with cgroup v1 only (boot with systemd.unified_cgroup_hierarchy=0)"
  done
}

require_binaries() {
  local file missing=()
  for file in "${KUBERNETES_PROGRAMS[@]/#/$KUBERNETES_BIN/}" "$ETCD_BIN/etcd" "$COREDNS_BIN/coredns" \
    "$PAUSE_BIN/pause" "$PAUSE_BIN/pause.tar" "$HTTPBIN_BIN/go-httpbin.tar" "$GRPC_BIN/grpc-app.tar"; do
    [[ -e $file ]] || missing+=("$file")
  done
  ((${#missing[@]} == 0)) || die "not built yet: ${missing[*]} (run: cluster build)"
}

# The Go toolchain must be at least as new as the newest module asks for.
require_go() {
  command -v go > /dev/null || die "go is not in PATH: the binaries of Kubernetes are built from Go modules"
  local have need
  have=$(go env GOVERSION) have=${have#go}
  need=$(awk '$1 == "go" { print $2 }' "$HERE"/*/go.mod | sort -V | tail -n 1)
  [[ $(printf '%s\n' "$need" "$have" | sort -V | head -n 1) == "$need" ]] ||
    die "go $need or newer is needed, $(command -v go) is $have"
}
