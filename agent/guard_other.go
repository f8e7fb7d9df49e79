//go:build !linux

package agent

import "net"

// ownerOf is nil: the system does not say whose a connection is, so a secret is
// required of every client.
var ownerOf func(client, server net.Addr) (uid int, ok bool)
