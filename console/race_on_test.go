//go:build race

package console_test

// raced is whether the race detector watches: it makes each request many times dearer, so
// that less is tried.
const raced = true
