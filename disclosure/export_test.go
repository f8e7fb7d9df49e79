package disclosure

// Segmented is Options with segments of n entries.
func Segmented(n uint64) Options { return Options{segment: n} }
