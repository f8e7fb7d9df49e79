package fhir

import (
	"errors"
	"io"

	"github.com/sallyport/sallyport/fhir"
)

// Gather reads a file, NDJSON or one document, and hands each resource to add,
// with the fullUrl of its entry or nil: the pass before the one that writes, for a
// Collector and an Index. What add is given is valid until it returns and was not
// checked where it is a line. A line that is too long is passed over: the pass
// that writes reports it.
func Gather(src io.Reader, ndjson bool, add func(raw, fullURL []byte) error) error {
	if ndjson {
		lines := lineReader{src: src, max: DefaultMaxBytes}
		for {
			line, err := lines.next()
			switch {
			case err == io.EOF:
				return nil
			case errors.Is(err, errLong):
				continue
			case err != nil:
				return reading(err)
			}
			if err := add(line, nil); err != nil {
				return err
			}
		}
	}
	r := fhir.NewReader(src, fhir.Limits{Resource: DefaultMaxBytes})
	for {
		item, err := r.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if raw := item.Resource.Open(); len(raw) > 0 {
			if err := add(raw, item.FullURL.Open()); err != nil {
				return err
			}
		}
	}
}
