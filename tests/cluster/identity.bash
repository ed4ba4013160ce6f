# shellcheck shell=bash
# Who is who: the CA, the API server's certificate, the key of service account tokens, the users and their kubeconfigs.

issue_identities() {
  local server port
  port=$(< "$DIR/api-port")
  server=https://127.0.0.1:$port
  issue_certificates
  local admin viewer
  admin=$(openssl rand -hex 16)
  viewer=$(openssl rand -hex 16)
  # The node's own components are administrators as well: nothing tests their permissions.
  printf '%s\n' "$admin,admin,admin,system:masters" "$viewer,viewer,viewer" > "$DIR/certs/tokens.csv"
  write_kubeconfig "$DIR/kubeconfig" "$server" admin "$admin"
  write_kubeconfig "$DIR/viewer.kubeconfig" "$server" viewer "$viewer"
  write_kubeconfig "$DIR/stranger.kubeconfig" "$server" stranger "$(openssl rand -hex 16)"
  write_kubeconfig "$DIR/etc/node.kubeconfig" "https://$NODE_IP:6443" admin "$admin"
}

issue_certificates() (
  cd "$DIR/certs" || exit
  new_key=(-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650)
  {
    openssl ecparam -name prime256v1 -genkey -noout -out service-accounts.key
    openssl req -x509 "${new_key[@]}" -subj /CN=iter8-test-ca -keyout ca.key -out ca.crt
    openssl req "${new_key[@]}" -subj /CN=kube-apiserver -keyout apiserver.key -out apiserver.csr
    openssl x509 -req -in apiserver.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 3650 -out apiserver.crt \
      -extfile <(echo "subjectAltName=IP:127.0.0.1,IP:$NODE_IP,IP:$API_SERVICE_IP,DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local")
  } 2> "$DIR/log/openssl.log"
)

# write_kubeconfig FILE SERVER USER TOKEN
write_kubeconfig() (
  umask 077
  cat > "$1" << END
apiVersion: v1
kind: Config
clusters: [{name: iter8-test, cluster: {server: "$2", certificate-authority-data: $(base64 -w0 "$DIR/certs/ca.crt")}}]
users: [{name: $3, user: {token: "$4"}}]
contexts: [{name: iter8-test, context: {cluster: iter8-test, user: $3}}]
current-context: iter8-test
END
)
