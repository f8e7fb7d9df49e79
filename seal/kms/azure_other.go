//go:build !azurekeyvault

package kms

// openAzure is behind a build tag: Azure's client brings much with it.
var openAzure = missing("azurekeyvault", "azurekeyvault")
