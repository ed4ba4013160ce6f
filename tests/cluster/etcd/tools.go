//go:build tools

// Package etcd pins etcd. Kubernetes 1.34 needs the watch progress requests of 3.6; Debian 12 ships 3.4.
package etcd

import _ "go.etcd.io/etcd/server/v3"
