//go:build race

package seal

// The race detector makes sync.Pool drop what it is given.
const raceEnabled = true
