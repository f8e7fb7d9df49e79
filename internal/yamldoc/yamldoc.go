// Package yamldoc reads YAML that people write, with goccy/go-yaml, whose errors
// show the line and mark it. The library can crash on what is no YAML at all; here
// that is an error like others, because a file must not stop a server.
package yamldoc

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/goccy/go-yaml"
)

// Decoder reads one document after the other.
type Decoder struct{ d *yaml.Decoder }

// New reads raw; a key that the target does not have is an error.
func New(raw []byte) Decoder { return Decoder{yaml.NewDecoder(bytes.NewReader(raw), yaml.Strict())} }

// Loose is New for a target without fixed keys.
func Loose(raw []byte) Decoder { return Decoder{yaml.NewDecoder(bytes.NewReader(raw))} }

var errUnreadable = errors.New("it does not read as YAML")

// Decode reads the next document into v. After the last it returns io.EOF.
func (d Decoder) Decode(v any) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = errUnreadable // what the library says of it may quote the file
		}
	}()
	return d.d.Decode(v)
}

// Explain is the error for a person: what is wrong, and the line.
func Explain(err error) (text string) {
	defer func() {
		if r := recover(); r != nil {
			text = errUnreadable.Error()
		}
	}()
	return fmt.Sprint(yaml.FormatError(err, false, true))
}

// First reads the first document, and leaves v as it is where there is none.
func (d Decoder) First(v any) error {
	if err := d.Decode(v); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}
