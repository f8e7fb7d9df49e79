// Package verify checks an audit log offline, from its files and public key
// alone. It trusts nothing that wrote the log and imports nothing of it: an
// auditor can read this package, and only this one, in an afternoon.
//
// A log is a directory in the C2SP tlog-tiles layout:
//
//	checkpoint            origin, size and root hash, signed (C2SP tlog-checkpoint)
//	tile/entries/<N>      256 entries, each with its length before it in two bytes
//	tile/<L>/<N>          256 hashes of level L of the Merkle tree (RFC 6962)
//	journal/<first>.wal   entries that are durable, some of them not in the tree yet
//
// The tile or bundle at the tree's edge, which is not full, is <N>.p/<width>.
//
// Log recomputes every hash from the entries up to the signed root and checks
// what the entries say about each other: no outcome without an intent before it.
// Since adds that nothing which an older checkpoint covered was changed or lost.
// Proof checks one entry against a checkpoint, from a single file.
//
// What cannot be found here: a log whose key holder signs two histories and shows
// each to another reader. Compare checkpoints with other readers for that.
package verify

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Report is what a log that verifies holds.
type Report struct {
	Origin     string
	Size       uint64    // entries under the checkpoint
	Root       tlog.Hash // of the tree
	Checkpoint []byte    // keep it: it is what Since compares the next time

	Intents   uint64
	Outcomes  uint64
	Refusals  uint64
	Acts      uint64
	Open      uint64 // intents whose last outcome is not there: under way, or cut off by a crash
	First     time.Time
	Last      time.Time
	Uncovered uint64 // entries in the journal that no checkpoint covers yet
	Torn      uint64 // bytes of an unfinished write at the journal's end
}

// Fault says what does not verify, and where.
type Fault struct {
	File   string // within the log
	Entry  int64  // the first entry concerned; -1 if it is not one entry
	Reason string
}

func (f *Fault) Error() string {
	if f.Entry < 0 {
		return f.File + ": " + f.Reason
	}
	return fmt.Sprintf("%s: entry %d: %s", f.File, f.Entry, f.Reason)
}

func fault(file string, entry int64, format string, args ...any) error {
	return &Fault{file, entry, fmt.Sprintf(format, args...)}
}

// Log verifies the log in dir, such as os.DirFS("/var/lib/sallyport/log"). The
// error is a *Fault if the log could be read and is not what it must be. A log
// that is being written can be verified.
func Log(dir fs.FS, key note.Verifier) (Report, error) {
	return check(dir, key, nil)
}

// Since verifies the log in dir, and that it continues the log whose checkpoint
// was kept earlier: nothing that was there has been changed, removed or put in
// between. A log set back to an older state, or begun anew, is a fault.
func Since(old []byte, dir fs.FS, key note.Verifier) (Report, error) {
	c, err := openCheckpoint(old, key)
	if err != nil {
		return Report{}, fault("the older checkpoint", -1, "%v", err)
	}
	return check(dir, key, &c)
}

func check(dir fs.FS, key note.Verifier, old *checkpoint) (Report, error) {
	signed, err := fs.ReadFile(dir, checkpointFile)
	if errors.Is(err, fs.ErrNotExist) {
		return Report{}, fault(checkpointFile, -1, "it is missing; a log has one from its beginning")
	}
	if err != nil {
		return Report{}, err
	}
	c, err := openCheckpoint(signed, key)
	if err != nil {
		return Report{}, fault(checkpointFile, -1, "%v", err)
	}
	r := Report{Origin: c.origin, Size: c.size, Root: c.root, Checkpoint: signed}
	if old != nil && old.size > c.size {
		return r, fault(checkpointFile, int64(c.size), "the log has been set back: it had %d entries under the older checkpoint and has %d now", old.size, c.size)
	}
	story := newStory(c.origin, &r)
	t := &tree{dir: dir, size: c.size}
	if old != nil {
		t.stopAt = old.size
	}
	if err := t.read(story); err != nil {
		return r, err
	}
	if err := t.judge(c.root); err != nil {
		return r, err
	}
	if old != nil && t.stopRoot != old.root {
		return r, fault(checkpointFile, -1, "the log has been forked: its first %d entries are not the ones that the older checkpoint covers", old.size)
	}
	if story.fault != nil {
		return r, story.fault
	}
	if err := unexpected(dir, c.size); err != nil {
		return r, err
	}
	if err := readJournal(dir, key, c.size, story, &r); err != nil {
		return r, err
	}
	r.Open = uint64(len(story.tickets))
	return r, nil
}

const checkpointFile = "checkpoint"

type checkpoint struct {
	origin string
	size   uint64
	root   tlog.Hash
}

// openCheckpoint checks the signature and reads the checkpoint, accepting one
// form of bytes only. Signatures by other keys, of witnesses, are not looked at.
func openCheckpoint(signed []byte, key note.Verifier) (checkpoint, error) {
	n, err := note.Open(signed, note.VerifierList(key))
	if err != nil {
		return checkpoint{}, fmt.Errorf("not signed by %s: %w", key.Name(), err)
	}
	for _, s := range n.Sigs {
		// note.Open ignores the unused bits of base64's last character.
		if _, err := base64.StdEncoding.Strict().DecodeString(s.Base64); err != nil {
			return checkpoint{}, errors.New("the signature has bits that are not its own")
		}
	}
	lines := strings.Split(n.Text, "\n")
	if len(lines) != 4 || lines[0] != key.Name() {
		return checkpoint{}, errors.New("signed, but not a checkpoint of this log")
	}
	c := checkpoint{origin: lines[0]}
	if c.size, err = strconv.ParseUint(lines[1], 10, 63); err != nil || strconv.FormatUint(c.size, 10) != lines[1] {
		return checkpoint{}, errors.New("signed, but its size is not a number")
	}
	if c.root, err = parseHash(lines[2]); err != nil {
		return checkpoint{}, errors.New("signed, but its root is not a hash")
	}
	return c, nil
}

func parseHash(s string) (h tlog.Hash, err error) {
	b, err := base64.StdEncoding.Strict().DecodeString(s)
	if err != nil || len(b) != len(h) || len(s) != 44 {
		return h, errors.New("not a hash in base64")
	}
	copy(h[:], b)
	return h, nil
}

// Proved is an entry that a proof file shows to be in a log.
type Proved struct {
	Origin string
	Index  uint64
	Entry  []byte // its JSON
	Size   uint64 // of the tree under the checkpoint in the file
}

const proofHead = "c2sp.org/tlog-proof@v1\n"

// Proof checks a proof file: a C2SP tlog-proof whose extra data is the entry.
//
//	c2sp.org/tlog-proof@v1
//	extra <base64 of the entry>
//	index <number>
//	<base64 of each hash of the inclusion proof, a line each>
//
//	<the checkpoint>
func Proof(file []byte, key note.Verifier) (Proved, error) {
	bad := func(format string, args ...any) (Proved, error) {
		return Proved{}, fault("proof", -1, format, args...)
	}
	if len(file) > 1<<20 {
		return bad("it is longer than a proof can be")
	}
	rest, ok := bytes.CutPrefix(file, []byte(proofHead))
	if !ok {
		return bad("it does not begin with %q", strings.TrimSpace(proofHead))
	}
	top, signed, ok := bytes.Cut(rest, []byte("\n\n"))
	if !ok {
		return bad("it has no checkpoint")
	}
	lines := strings.Split(string(top), "\n")
	if len(lines) < 2 {
		return bad("it has no index")
	}
	extra, ok := strings.CutPrefix(lines[0], "extra ")
	if !ok {
		return bad("it does not hold its entry")
	}
	// DecodeString skips line ends; there is none in a line but perhaps a \r.
	entry, err := base64.StdEncoding.Strict().DecodeString(extra)
	if err != nil || base64.StdEncoding.EncodeToString(entry) != extra {
		return bad("its entry is not base64")
	}
	number, ok := strings.CutPrefix(lines[1], "index ")
	index, err := strconv.ParseUint(number, 10, 63)
	if !ok || err != nil || strconv.FormatUint(index, 10) != number {
		return bad("its index is not a number")
	}
	var hashes tlog.RecordProof
	for _, line := range lines[2:] {
		h, err := parseHash(line)
		if err != nil {
			return bad("its hashes do not read")
		}
		hashes = append(hashes, h)
	}
	c, err := openCheckpoint(signed, key)
	if err != nil {
		return bad("its checkpoint: %v", err)
	}
	if index >= c.size {
		return bad("its checkpoint covers %d entries, not entry %d", c.size, index)
	}
	if err := tlog.CheckRecord(hashes, int64(c.size), c.root, int64(index), tlog.RecordHash(entry)); err != nil {
		return bad("entry %d is not in the tree of the checkpoint", index)
	}
	o, err := readEntry(entry)
	if err != nil {
		return bad("entry %d is in the log, but %v", index, err)
	}
	if o.origin != c.origin {
		return bad("entry %d names another origin than the checkpoint", index)
	}
	return Proved{c.origin, index, entry, c.size}, nil
}
