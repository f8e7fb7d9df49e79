//go:build !windows

package keystore

import (
	"fmt"
	"os"

	"github.com/google/go-tpm/tpm2/transport"
	"github.com/google/go-tpm/tpm2/transport/linuxtpm"
	"github.com/google/go-tpm/tpm2/transport/linuxudstpm"
)

// resourceManager is the kernel's TPM with its resource manager, which keeps the
// objects of processes apart and cleans up after one that was killed. /dev/tpm0,
// which does neither, is used only if it is named.
const resourceManager = "/dev/tpmrm0"

func openTransport(path string) (transport.TPMCloser, error) {
	if path == "" {
		path = resourceManager
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("there is no TPM at %s: %w", path, err)
	}
	if info.Mode()&os.ModeSocket != 0 {
		return linuxudstpm.Open(path)
	}
	return linuxtpm.Open(path)
}
