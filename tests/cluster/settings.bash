# shellcheck shell=bash disable=SC2034
# Names, places and numbers of the cluster. The configuration files in etc/ repeat the addresses.

# The version of a Go module that a go.mod of ours requires, without the leading v.
module_version() {
  awk -v module="$2" '{ for (i = 1; i < NF; i++) if ($i == module) { print substr($(i + 1), 2); exit } }' "$HERE/$1/go.mod"
}

KUBERNETES_VERSION=$(module_version kube k8s.io/kubernetes)

CACHE=${ITER8_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}}/iter8-cluster
KUBERNETES_BIN=$CACHE/k8s-$KUBERNETES_VERSION
ETCD_BIN=$CACHE/etcd-$(module_version etcd go.etcd.io/etcd/server/v3)
COREDNS_BIN=$CACHE/coredns-$(module_version dns github.com/coredns/coredns)
HTTPBIN_BIN=$CACHE/go-httpbin-$(module_version httpbin github.com/mccutchen/go-httpbin/v2)
GRPC_BIN=$CACHE/grpc-app-$(module_version grpc google.golang.org/grpc)
PAUSE_BIN=$CACHE/pause-1

KUBERNETES_PROGRAMS=(kube-apiserver kube-controller-manager kube-scheduler kube-proxy kubelet kubectl)
# In the order in which they start.
COMPONENTS=(containerd etcd apiserver controller-manager scheduler kubelet kube-proxy coredns)

DIR=$(realpath -m "${CLUSTER_DIR:-${TMPDIR:-/tmp}/iter8-cluster}")
# What tells a folder that may be removed from any other.
MARKER=iter8-cluster
# Clusters of different folders must not share cgroups.
CGROUP_NAME=iter8-$(printf %s "$DIR" | sha256sum | head -c 12)
CGROUP_CONTROLLERS=(cpu cpuacct cpuset memory devices freezer blkio pids systemd)

NODE_IP=10.98.0.2
API_SERVICE_IP=10.96.0.1
SERVICE_CIDR=10.96.0.0/16
