# shellcheck shell=bash
# Fills the cache with what the node runs. A file that is there is never built again.

build() {
  require_go
  local version=$KUBERNETES_VERSION variables=k8s.io/component-base/version program
  local major minor
  IFS=. read -r major minor _ <<< "$version"
  # The API server tells clients this version; without it, it says v0.0.0.
  local stamp="-X $variables.gitVersion=v$version -X $variables.gitMajor=$major -X $variables.gitMinor=$minor"
  for program in "${KUBERNETES_PROGRAMS[@]}"; do
    compile kube "k8s.io/kubernetes/cmd/$program" "$KUBERNETES_BIN/$program" "$stamp"
  done
  compile etcd go.etcd.io/etcd/server/v3 "$ETCD_BIN/etcd"
  compile dns . "$COREDNS_BIN/coredns"
  compile pause . "$PAUSE_BIN/pause"
  compile httpbin github.com/mccutchen/go-httpbin/v2/cmd/go-httpbin "$HTTPBIN_BIN/go-httpbin"
  compile grpc . "$GRPC_BIN/grpc-app"
  pack iter8/pause:1 "$PAUSE_BIN/pause"
  pack iter8/e2e-httpbin:1 "$HTTPBIN_BIN/go-httpbin"
  pack iter8/e2e-grpc:1 "$GRPC_BIN/grpc-app"
}

# compile FOLDER PACKAGE TARGET [LINKER FLAGS]
compile() {
  local folder=$1 package=$2 target=$3 flags=${4:-}
  [[ ! -x $target ]] || return 0
  echo "compiling ${target##*/}" >&2
  mkdir -p "${target%/*}"
  (cd "$HERE/$folder" &&
    CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags "-s -w $flags" -o "$target.partial" "$package")
  mv "$target.partial" "$target"
}

# pack TAG PROGRAM: an image of nothing but the program, beside it.
pack() {
  local tag=$1 program=$2 name=${2##*/}
  [[ ! -e $program.tar ]] || return 0
  cargo run --quiet --manifest-path "$HERE/../../Cargo.toml" -p iter8-dist -- \
    image --tag "$tag" --file "/$name=$program" --entrypoint "/$name" --output "$program.tar" >&2
}
