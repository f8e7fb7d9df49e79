// Package phi holds the one type that may carry patient data.
//
// Data does not print, log, marshal or compare. What governs, logs or shows
// imports no package that can hold Data, so it cannot leak it; layers_test.go
// keeps that so. The bytes live in a closure, not in a field, because fmt and
// encoding packages look into fields, exported or not.
package phi

import (
	"errors"
	"fmt"
	"log/slog"
)

// Data is patient data. The zero value is empty. Data is not comparable.
type Data struct {
	_    [0]func() // not comparable: an equality test is an oracle
	open func() []byte
}

// New wraps b, which the caller must not keep.
func New(b []byte) Data { return Data{open: func() []byte { return b }} }

// Open returns the bytes. It is the one way in: a search for calls of Open
// finds every place that handles patient data.
func (d Data) Open() []byte {
	if d.open == nil {
		return nil
	}
	return d.open()
}

// Len is the number of bytes. A length is not patient data.
func (d Data) Len() int { return len(d.Open()) }

const redacted = "[PHI]"

var errMarshal = errors.New("phi.Data cannot be marshalled")

// Format implements fmt.Formatter: every verb prints the same word.
func (Data) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(redacted)) }

// String implements fmt.Stringer.
func (Data) String() string { return redacted }

// GoString implements fmt.GoStringer.
func (Data) GoString() string { return redacted }

// LogValue implements slog.LogValuer.
func (Data) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON fails: nothing may put patient data into a document by accident.
func (Data) MarshalJSON() ([]byte, error) { return nil, errMarshal }

// MarshalText fails.
func (Data) MarshalText() ([]byte, error) { return nil, errMarshal }

// MarshalBinary fails.
func (Data) MarshalBinary() ([]byte, error) { return nil, errMarshal }

// GobEncode fails.
func (Data) GobEncode() ([]byte, error) { return nil, errMarshal }
