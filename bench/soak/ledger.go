package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/id"
)

// ledger reads a log's entries as any auditor can, from the files of its tree
// (C2SP tlog-tiles, "Log entries"), and only what is new.
type ledger struct {
	dir       fs.FS
	next      uint64 // the first entry that was not read
	decisions map[id.Decision]*decided
	acts      []audit.Entry
}

const bundle = 256 // entries in a full file

// read takes in the entries up to size.
func (l *ledger) read(size uint64, err error) error {
	if err != nil {
		return err
	}
	if size < l.next {
		return fmt.Errorf("the log has %d entries and had %d", size, l.next)
	}
	if l.decisions == nil {
		l.decisions = map[id.Decision]*decided{}
	}
	for l.next < size {
		n := l.next / bundle
		name := "tile/entries/" + tilePath(n)
		if width := size - n*bundle; width < bundle {
			name += ".p/" + strconv.FormatUint(width, 10)
		}
		data, err := fs.ReadFile(l.dir, name)
		if err != nil {
			return err
		}
		for i := n * bundle; len(data) > 0; i++ {
			if len(data) < 2 || len(data) < 2+int(binary.BigEndian.Uint16(data)) {
				return fmt.Errorf("%s ends in the middle of an entry", name)
			}
			length := int(binary.BigEndian.Uint16(data))
			if i >= l.next && i < size {
				if err := l.take(i, data[2:2+length]); err != nil {
					return fmt.Errorf("entry %d: %w", i, err)
				}
			}
			data = data[2+length:]
		}
		l.next = min((n+1)*bundle, size)
	}
	return nil
}

func (l *ledger) take(index uint64, raw []byte) error {
	e, err := audit.Decode(index, raw)
	if err != nil {
		return err
	}
	if e.Act != nil {
		l.acts = append(l.acts, e)
		return nil
	}
	key := e.Decision()
	if key == "" {
		return nil
	}
	d := l.decisions[key]
	if d == nil {
		d = &decided{}
		l.decisions[key] = d
	}
	switch {
	case e.Intent != nil:
		d.intended = true
	case e.Refusal != nil:
		d.refused = true
	case e.Outcome != nil:
		d.final = d.final || e.Outcome.Final
		if e.Outcome.Result == audit.Released {
			d.chunks = append(d.chunks, chunk{e.Outcome.Digest, e.Outcome.Bytes})
		} else {
			d.withheld = true
		}
	}
	return nil
}

// tilePath writes a tile's number: 1234067 is x001/x234/067.
func tilePath(n uint64) string {
	out := fmt.Sprintf("%03d", n%1000)
	for n >= 1000 {
		n /= 1000
		out = fmt.Sprintf("x%03d/%s", n%1000, out)
	}
	return out
}

// checkpointSize is the second line of a checkpoint (C2SP tlog-checkpoint). Its
// signature is checked where the log is verified.
func checkpointSize(file string) (uint64, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	lines := strings.SplitN(string(raw), "\n", 3)
	if len(lines) < 3 {
		return 0, errors.New("the checkpoint is not one")
	}
	return strconv.ParseUint(lines[1], 10, 64)
}
