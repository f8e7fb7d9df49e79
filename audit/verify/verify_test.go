package verify

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const origin = "hospital.example/log"

func keys(tb testing.TB) (note.Signer, note.Verifier) {
	tb.Helper()
	secret, public, err := note.GenerateKey(strings.NewReader(strings.Repeat("v", 64)), origin)
	if err != nil {
		tb.Fatal(err)
	}
	s, err := note.NewSigner(secret)
	if err != nil {
		tb.Fatal(err)
	}
	v, err := note.NewVerifier(public)
	if err != nil {
		tb.Fatal(err)
	}
	return s, v
}

// line is an entry in JSON at second n.
func line(n int, kind, rest string) string {
	return fmt.Sprintf(`{"v":1,"time":"2026-01-02T03:%02d:%02d.000000000Z","kind":%q,"origin":%q%s}`, n/60, n%60, kind, origin, rest)
}

func sign(tb testing.TB, n int, root tlog.Hash) []byte {
	tb.Helper()
	s, _ := keys(tb)
	signed, err := note.Sign(&note.Note{Text: fmt.Sprintf("%s\n%d\n%s\n", origin, n, base64.StdEncoding.EncodeToString(root[:]))}, s)
	if err != nil {
		tb.Fatal(err)
	}
	return signed
}

// mth is the Merkle tree hash as RFC 6962, 2.1, defines it: slow, and nobody
// else's code.
func mth(d [][]byte) tlog.Hash {
	switch len(d) {
	case 0:
		return sha256.Sum256(nil)
	case 1:
		return sha256.Sum256(append([]byte{0}, d[0]...))
	}
	k := 1
	for k*2 < len(d) {
		k *= 2
	}
	l, r := mth(d[:k]), mth(d[k:])
	return sha256.Sum256(append(append([]byte{1}, l[:]...), r[:]...))
}

// write lays out a log of these entries, by the specification of tlog-tiles.
func write(tb testing.TB, entries ...string) fstest.MapFS {
	tb.Helper()
	m := fstest.MapFS{}
	put := func(name string, b []byte) { m[name] = &fstest.MapFile{Data: b} }
	raw := make([][]byte, len(entries))
	for i, e := range entries {
		raw[i] = []byte(e)
	}
	for first := 0; first < len(raw); first += 256 {
		var b []byte
		end := min(first+256, len(raw))
		for _, e := range raw[first:end] {
			b = binary.BigEndian.AppendUint16(b, uint16(len(e)))
			b = append(b, e...)
		}
		put(tilePath("entries", uint64(first/256), end-first), b)
	}
	for level, span := 0, 1; len(raw)/span > 0; level, span = level+1, span*256 {
		for first := 0; first < len(raw)/span; first += 256 {
			var b []byte
			end := min(first+256, len(raw)/span)
			for i := first; i < end; i++ {
				h := mth(raw[i*span : (i+1)*span])
				b = append(b, h[:]...)
			}
			put(tilePath(fmt.Sprint(level), uint64(first/256), end-first), b)
		}
	}
	put("checkpoint", sign(tb, len(raw), mth(raw)))
	return m
}

const (
	aDigest = `"digest":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"`
	anAct   = `,"act":"a%d","act_kind":"agreement.sign","actor":"sam","subject":"agreement","id":"baa-1",` + aDigest + `,"registry":1`
)

func acts(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = line(i%3600, "act", fmt.Sprintf(anAct, i))
	}
	return all
}

func TestLogsOfEverySizeVerify(t *testing.T) {
	_, v := keys(t)
	for _, n := range []int{0, 1, 2, 3, 255, 256, 257, 511, 512, 600} {
		r, err := Log(write(t, acts(n)...), v)
		if err != nil || r.Size != uint64(n) || r.Acts != uint64(n) {
			t.Errorf("%d entries: %+v, %v", n, r, err)
		}
	}
}

func TestRules(t *testing.T) {
	_, v := keys(t)
	intent := func(n int, d string) string { return line(n, "intent", `,"decision":"`+d+`"`) }
	out := func(n, ticket, chunk int, rest string) string {
		return line(n, "outcome", fmt.Sprintf(`,"decision":"d","ticket":%d,"chunk":%d,"release":"r","patient_count":0%s`, ticket, chunk, rest))
	}
	released := `,"result":"released","final":true,` + aDigest
	more := `,"result":"released","final":false,` + aDigest
	for _, c := range []struct {
		name    string
		entries []string
		at      int64 // -1 for none
		says    string
	}{
		{"one release", []string{intent(1, "d"), out(2, 0, 0, released)}, -1, ""},
		{"chunks", []string{intent(1, "d"), out(2, 0, 0, more), out(3, 0, 1, `,"result":"incomplete","final":true`)}, -1, ""},
		{"no intent", []string{out(1, 0, 0, released)}, 0, "open intent"},
		{"intent comes later", []string{out(1, 1, 0, released), intent(2, "d")}, 0, "open intent"},
		{"ticket is no intent", []string{line(1, "act", fmt.Sprintf(anAct, 1)), out(2, 0, 0, released)}, 1, "open intent"},
		{"another decision", []string{intent(1, "e"), out(2, 0, 0, released)}, 1, "another decision"},
		{"after the final one", []string{intent(1, "d"), out(2, 0, 0, released), out(3, 0, 1, released)}, 2, "open intent"},
		{"a chunk is missing", []string{intent(1, "d"), out(2, 0, 0, more), out(3, 0, 2, released)}, 2, "chunk 1 is the next"},
		{"no digest", []string{intent(1, "d"), out(2, 0, 0, `,"result":"released","final":true`)}, 1, "digest"},
		{"unknown result", []string{intent(1, "d"), out(2, 0, 0, `,"result":"maybe","final":true`)}, 1, "result"},
		{"an act twice", []string{line(1, "act", fmt.Sprintf(anAct, 1)), line(2, "act", fmt.Sprintf(anAct, 1))}, 1, "already"},
		{"time runs back", []string{intent(9, "d"), intent(8, "e")}, 1, "older"},
		{"refusal without gates", []string{line(1, "refusal", `,"decision":"d"`)}, 0, "failing gate"},
		{"refusal", []string{line(1, "refusal", `,"decision":"d","failing":[{"gate":"baa","reason":"absent"}]`)}, -1, ""},
		{"a name", []string{line(1, "intent", `,"decision":"d","vendor":"Jane Doe"`)}, 0, "vendor"},
		{"a field of another kind", []string{line(1, "intent", `,"decision":"d","act":"a"`)}, 0, "field"},
		{"an unknown field", []string{line(1, "intent", `,"decision":"d","note":"x"`)}, 0, "field"},
		{"a field twice", []string{line(1, "intent", `,"decision":"d","decision":"e"`)}, 0, "twice"},
		{"an unknown kind", []string{line(1, "rumour", "")}, 0, "kind"},
		{"another origin", []string{strings.Replace(intent(1, "d"), origin, "elsewhere.example", 1)}, 0, "origin"},
		{"another version", []string{strings.Replace(intent(1, "d"), `"v":1`, `"v":2`, 1)}, 0, "version"},
		{"no JSON", []string{"hello"}, 0, "JSON"},
		{"more behind it", []string{intent(1, "d") + "{}"}, 0, "JSON"},
		{"an empty entry", []string{""}, 0, "JSON"},
	} {
		_, err := Log(write(t, c.entries...), v)
		var f *Fault
		switch {
		case c.at < 0 && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.at >= 0 && (!errors.As(err, &f) || f.Entry != c.at || !strings.Contains(f.Reason, c.says)):
			t.Errorf("%s: got %v, want entry %d: ... %s ...", c.name, err, c.at, c.says)
		}
	}
}

// TestRewrittenLog: a log changed throughout, hashes and all, but without the key.
func TestRewrittenLog(t *testing.T) {
	_, v := keys(t)
	m, other := write(t, acts(300)...), write(t, append(acts(299), line(3599, "act", fmt.Sprintf(anAct, 9999)))...)
	m2 := fstest.MapFS{}
	for name, f := range other {
		m2[name] = f
	}
	m2["checkpoint"] = m["checkpoint"]
	if _, err := Log(m2, v); err == nil || !strings.Contains(err.Error(), "signed") {
		t.Errorf("got %v", err)
	}
	if _, err := Since(m["checkpoint"].Data, other, v); err == nil || !strings.Contains(err.Error(), "forked") {
		t.Errorf("got %v", err)
	}
	if _, err := Log(fstest.MapFS{}, v); err == nil {
		t.Error("nothing at all verifies")
	}
	var f *Fault
	if _, err := Log(fstest.MapFS{"checkpoint": m["checkpoint"]}, v); !errors.As(err, &f) || f.Entry != 0 {
		t.Errorf("a checkpoint alone: %v", err)
	}
}

func TestFoldIsRFC6962(t *testing.T) {
	var raw [][]byte
	tr := &tree{dir: fstest.MapFS{}}
	for n := range 255 {
		if got, want := tr.fold(), mth(raw); got != want {
			t.Fatalf("root of %d entries: got %v, want %v", n, got, want)
		}
		e := fmt.Appendf(nil, "entry %d", n)
		raw = append(raw, e)
		if err := tr.push(0, tlog.RecordHash(e)); err != nil {
			t.Fatal(err)
		}
	}
}

func FuzzEntry(f *testing.F) {
	f.Add([]byte(line(1, "act", fmt.Sprintf(anAct, 1))))
	f.Add([]byte(line(1, "refusal", `,"decision":"d","failing":[{"gate":"baa","reason":"absent"}]`)))
	f.Add([]byte(line(1, "outcome", `,"decision":"d","resources":{"Patient":3},"patients":["aaa","b"],"final":true`)))
	f.Add([]byte(line(1, "outcome", `,"decision":"d","resources":{"Patient":3},"shown":{"Patient":"1f"},"final":true`)))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := readEntry(b)
		if err != nil {
			return
		}
		if schema[e.kind] == nil || bytes.ContainsAny(b, " \t\r\n\\@<>()") {
			t.Fatalf("%q reads", b)
		}
	})
}

func FuzzProof(f *testing.F) {
	entries := acts(5)
	raw := make([][]byte, len(entries))
	for i := range entries {
		raw[i] = []byte(entries[i])
	}
	var hashes []tlog.Hash
	reader := tlog.HashReaderFunc(func(at []int64) ([]tlog.Hash, error) {
		var out []tlog.Hash
		for _, i := range at {
			out = append(out, hashes[i])
		}
		return out, nil
	})
	for i, e := range raw {
		h, err := tlog.StoredHashes(int64(i), e, reader)
		if err != nil {
			f.Fatal(err)
		}
		hashes = append(hashes, h...)
	}
	signed := sign(f, len(raw), mth(raw))
	valid := map[string]bool{}
	for i, e := range raw {
		p, err := tlog.ProveRecord(int64(len(raw)), int64(i), reader)
		if err != nil {
			f.Fatal(err)
		}
		file := fmt.Sprintf("%sextra %s\nindex %d\n", proofHead, base64.StdEncoding.EncodeToString(e), i)
		for _, h := range p {
			file += base64.StdEncoding.EncodeToString(h[:]) + "\n"
		}
		file += "\n" + string(signed)
		valid[file] = true
		f.Add([]byte(file))
	}
	_, v := keys(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := Proof(b, v)
		if err != nil && valid[string(b)] {
			t.Fatalf("a true proof: %v", err)
		}
		if err == nil && string(p.Entry) != entries[p.Index] {
			t.Fatalf("%q proves what is not in the log", b)
		}
	})
}

func FuzzJournal(f *testing.F) {
	f.Add([]byte(frameMagic), uint64(0))
	f.Add(append([]byte(frameMagic+"\x00\x00\x00\x05\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x03abc"), 0), uint64(3))
	_, v := keys(f)
	log := write(f, acts(3)...)
	f.Fuzz(func(t *testing.T, data []byte, first uint64) {
		m := fstest.MapFS{fmt.Sprintf("journal/%020d.wal", first): &fstest.MapFile{Data: data}}
		for name, file := range log {
			m[name] = file
		}
		r, err := Log(m, v)
		if err == nil && r.Uncovered > 0 && len(data) < frameHead {
			t.Fatal("entries came out of nothing")
		}
	})
}
