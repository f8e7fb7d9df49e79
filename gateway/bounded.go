package gateway

import "sync"

// bounded is a cache that is emptied when it is full. Its zero value works, and is
// safe for concurrent use.
type bounded[K comparable, V any] struct {
	mu sync.RWMutex
	m  map[K]V
}

const maxBounded = 4096

func (b *bounded[K, V]) get(k K) (V, bool) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	v, ok := b.m[k]
	return v, ok
}

func (b *bounded[K, V]) put(k K, v V) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.m == nil || len(b.m) >= maxBounded {
		b.m = map[K]V{}
	}
	b.m[k] = v
}
