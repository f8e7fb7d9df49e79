package msconfig

// Difference is one way in which a configuration lets pass what our own profiles
// would remove.
type Difference struct {
	Kind     Kind
	Rule     int // index in fhirPathRules; -1: none in particular
	Path     string
	Message  string
	Citation string
}

// Kind is the closed list.
type Kind uint8

// kinds
const (
	_ Kind = iota
	Ignored
)
