# shellcheck shell=bash
# Images from OCI archives. kubelet sees one when containerd's CRI part has taken it over, a moment after the import.

load() {
  local archive name
  for archive in "$@"; do
    name=$(tar -xOf "$archive" index.json | jq -er '.manifests[0].annotations["io.containerd.image.name"]') ||
      die "$archive is not an OCI image archive with a name (annotation io.containerd.image.name)"
    # Through stdin, because the node has its own /run and /var/lib.
    in_containerd images import - < "$archive" > /dev/null || die "cannot import $archive"
    wait_for 30 "the node to take over $name" image_is_managed "$name"
    echo "$name"
  done
}

image_is_managed() {
  in_containerd images list "name==$1" | grep -q io.cri-containerd.image=managed
}

in_containerd() {
  enter_node ctr --namespace k8s.io "$@"
}
