# shellcheck shell=bash
# The components: how each is started, and when each is ready.

start_components() {
  local component
  for component in "${COMPONENTS[@]}"; do
    "start_$component"
    # The others wait by themselves; without these two they would back off for seconds.
    case $component in
      containerd | apiserver) "await_$component" ;;
    esac
  done
}

await_cluster() {
  local component
  for component in "${COMPONENTS[@]}"; do
    "await_$component"
  done
  # No pod is admitted into a namespace without its service account.
  wait_for 60 "the default service account" kube get serviceaccount default
}

require_component() {
  [[ " ${COMPONENTS[*]} " == *" $1 "* ]] || die "no component \"$1\"; there are: ${COMPONENTS[*]}"
}

start_component() {
  process_is_gone "$1" || die "$1 is running"
  "start_$1"
  "await_$1"
}

stop_component() {
  stop_process "$1"
}

restart_component() {
  stop_component "$1"
  start_component "$1"
}

freeze_component() {
  signal_process "$1" STOP
}

thaw_component() {
  signal_process "$1" CONT
}

# kubectl inside the node: independent of the relay.
kube() {
  enter_node kubectl --request-timeout=10s "$@"
}

# await_port COMPONENT ADDRESS:PORT, seen from the node.
await_port() {
  wait_for 60 "$1 to listen on $2" enter_node socat -u /dev/null "TCP:$2"
}

start_containerd() {
  start_process containerd containerd --config /run/node/etc/containerd.toml
}

await_containerd() {
  wait_for 30 containerd enter_node ctr version
}

start_etcd() {
  start_process etcd etcd --data-dir /var/lib/etcd --unsafe-no-fsync \
    --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 \
    --listen-peer-urls http://127.0.0.1:2380
}

await_etcd() {
  await_port etcd 127.0.0.1:2379
}

start_apiserver() {
  start_process apiserver kube-apiserver \
    --etcd-servers=http://127.0.0.1:2379 \
    --bind-address="$NODE_IP" --advertise-address="$NODE_IP" --secure-port=6443 \
    --tls-cert-file=/run/node/certs/apiserver.crt --tls-private-key-file=/run/node/certs/apiserver.key \
    --token-auth-file=/run/node/certs/tokens.csv --authorization-mode=Node,RBAC \
    --service-account-key-file=/run/node/certs/service-accounts.key \
    --service-account-signing-key-file=/run/node/certs/service-accounts.key \
    --service-account-issuer=https://kubernetes.default.svc \
    --service-cluster-ip-range="$SERVICE_CIDR" --allow-privileged=true \
    --kubelet-preferred-address-types=InternalIP
}

await_apiserver() {
  wait_for 60 "the API server" kube get --raw /readyz
}

start_controller-manager() {
  start_process controller-manager kube-controller-manager --kubeconfig=/run/node/etc/node.kubeconfig \
    --leader-elect=false --secure-port=0 --root-ca-file=/run/node/certs/ca.crt \
    --service-account-private-key-file=/run/node/certs/service-accounts.key \
    --flex-volume-plugin-dir=/var/lib/kubelet/volume-plugins
}

# It listens nowhere; a Deployment or a Job waits for it.
await_controller-manager() {
  ! process_is_gone controller-manager
}

start_scheduler() {
  start_process scheduler kube-scheduler --kubeconfig=/run/node/etc/node.kubeconfig --leader-elect=false --secure-port=0
}

# It listens nowhere; a pod waits for it.
await_scheduler() {
  ! process_is_gone scheduler
}

start_kubelet() {
  start_process kubelet kubelet --config=/run/node/etc/kubelet.yaml --kubeconfig=/run/node/etc/node.kubeconfig \
    --hostname-override=node --node-ip="$NODE_IP"
}

await_kubelet() {
  wait_for 120 "the node to register" kube get node node
  kube wait --for=condition=Ready node/node --timeout=120s > /dev/null || die "the node did not become ready"
}

start_kube-proxy() {
  start_process kube-proxy kube-proxy --config=/run/node/etc/kube-proxy.yaml
}

await_kube-proxy() {
  await_port kube-proxy 127.0.0.1:10256
}

# CoreDNS runs on the node, behind a Service with a hand-made EndpointSlice.
start_coredns() {
  start_process coredns coredns -conf /run/node/etc/Corefile
  kube apply -f /run/node/etc/dns.yaml > /dev/null
}

# It listens when it has read the Services.
await_coredns() {
  await_port coredns "$NODE_IP:53"
}
