//go:build tools

// Package httpbin pins go-httpbin, the app that the end-to-end tests put under load.
package httpbin

import _ "github.com/mccutchen/go-httpbin/v2/cmd/go-httpbin"
