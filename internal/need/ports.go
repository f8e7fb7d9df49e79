package need

import (
	"fmt"
	"net"
	"os"
	"sync"
	"testing"
)

// Ports of a test are below 32768, from where on Linux takes the ports of connections
// that go out: nobody gets one by chance while its server is stopped or not yet started.
// Each test binary has blocks of its own among those that run at once, which it keeps by
// listening at a block's first port until it ends. When one is used up it takes another: the
// port of a server that is stopped for a while is nobody else's.
const (
	portsFrom  = 20000
	portsUntil = 32500
	portBlock  = 500
)

var ports struct {
	mu     sync.Mutex
	blocks []net.Listener
	first  int
	next   int
}

// Ports is the first of n ports of the loopback interface, one after the other, at which
// nobody listens and which no other test gets soon.
func Ports(t testing.TB, n int) int {
	t.Helper()
	ports.mu.Lock()
	defer ports.mu.Unlock()
	if len(ports.blocks) == 0 && !ownBlock() {
		t.Fatal("all blocks of ports are taken")
	}
	for range portBlock {
		if ports.next+n > ports.first+portBlock && !ownBlock() {
			ports.next = ports.first + 1 // there is none, so this one's from the beginning
		}
		at := ports.next
		if ports.next += n; free(at, n) {
			return at
		}
	}
	t.Fatalf("there are no %d free ports together", n)
	return 0
}

func ownBlock() bool {
	const blocks = (portsUntil - portsFrom) / portBlock
	for i := range blocks {
		first := portsFrom + (os.Getpid()+i)%blocks*portBlock
		if l, err := listen(first); err == nil {
			ports.blocks, ports.first, ports.next = append(ports.blocks, l), first, first+1
			return true
		}
	}
	return false
}

func free(at, n int) bool {
	for i := range n {
		l, err := listen(at + i)
		if err != nil {
			return false
		}
		_ = l.Close() // it was only tried
	}
	return true
}

func listen(port int) (net.Listener, error) {
	return net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
}
