//go:build !gcpkms

package kms

// openGCP is behind a build tag: Google's client brings gRPC with it.
var openGCP = missing("gcpkms", "gcpkms")
