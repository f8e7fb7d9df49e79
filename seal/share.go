package seal

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport/sallyport/problem"
)

// Share is one part of a root that was split (Shamir), as a file or a sheet of
// paper holds it. Any Threshold shares of one Set give the root back.
type Share struct {
	silent
	Organisation string
	Index        int    // from 1
	Of           int    // how many were made
	Threshold    int    // how many it takes
	Set          string // of this splitting: 8 hexadecimal digits
	Root         string // the fingerprint of the root
	MadeAt       time.Time
	value        func() []byte
}

// The bounds of a splitting.
const (
	MinThreshold = 2
	MaxShares    = 64
)

// SplitRoot splits the root of the keyring. at is the time of now.
func (k *Keyring) SplitRoot(organisation string, shares, threshold int, at time.Time) ([]Share, error) {
	if threshold < MinThreshold || shares < threshold || shares > MaxShares {
		return nil, problem.BadField("threshold", fmt.Sprintf("%d of %d cannot be made", threshold, shares),
			fmt.Sprintf("Make 2 to %d shares, and a threshold of 2 to as many.", MaxShares))
	}
	if k.Rotating() {
		return nil, problem.New(problem.Conflict, "a rotation of the root is under way", "Finish it first, then split the new root")
	}
	root := k.own.Load().root
	points, err := split(root.raw(), shares, threshold)
	if err != nil {
		return nil, err
	}
	set := make([]byte, 4)
	rand.Read(set)
	out := make([]Share, shares)
	for i, p := range points {
		out[i] = Share{Organisation: oneLine(organisation), Index: int(p.x), Of: shares, Threshold: threshold, Set: hex.EncodeToString(set),
			Root: root.id, MadeAt: at.UTC().Truncate(time.Second), value: func() []byte { return p.y }}
	}
	return out, nil
}

// oneLine keeps a name from being more than one.
func oneLine(s string) string {
	return strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == 0xfffd {
			return ' '
		}
		return r
	}, s)), " ")
}

const shareTitle = "SALLYPORT ROOT KEY SHARE 1"

// Text is the share as it is kept: lines that can be printed, read out and typed
// in. Words are proquints: five letters for 16 bits, of alternating consonants and
// vowels. The check words are a hash of all that stands before them.
func (s Share) Text() string {
	var b strings.Builder
	fmt.Fprintln(&b, shareTitle)
	fmt.Fprintf(&b, "organisation: %s\n", s.Organisation)
	fmt.Fprintf(&b, "share:        %d of %d, any %d restore the root\n", s.Index, s.Of, s.Threshold)
	fmt.Fprintf(&b, "set:          %s\n", s.Set)
	fmt.Fprintf(&b, "root:         %s\n", s.Root)
	fmt.Fprintf(&b, "made:         %s\n", s.MadeAt.Format(time.RFC3339))
	w := words(s.value())
	fmt.Fprintf(&b, "words:        %s\n", strings.Join(w[:len(w)/2], " "))
	fmt.Fprintf(&b, "words:        %s\n", strings.Join(w[len(w)/2:], " "))
	fmt.Fprintf(&b, "check:        %s\n", strings.Join(s.check(), " "))
	fmt.Fprintln(&b, "Keep it apart from the other shares, from the server and from its backups. Restore: sallyport key restore SHARE SHARE ...")
	return b.String()
}

// check are 48 bits of a hash of everything that the share says, as three words.
func (s Share) check() []string {
	h := sha256.New()
	fmt.Fprintf(h, "%s\n%s\n%d %d %d\n%s\n%s\n%d\n", shareTitle, s.Organisation, s.Index, s.Of, s.Threshold, s.Set, s.Root, s.MadeAt.Unix())
	h.Write(s.value())
	return words(h.Sum(nil)[:6])
}

// maxShareText bounds a share's file.
const maxShareText = 8 << 10

// ParseShare reads what Text writes. It forgives spaces and letters' case, and
// nothing else; no error quotes a share.
func ParseShare(text []byte) (Share, error) {
	if len(text) > maxShareText {
		return Share{}, errShare("is too long", nil)
	}
	var s Share
	var value []byte
	var check []string
	lines := bufio.NewScanner(bytes.NewReader(text))
	titled, seen := false, map[string]int{}
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if line == "" {
			continue
		}
		if !titled {
			if line != shareTitle {
				return Share{}, errShare("is not one", nil)
			}
			titled = true
			continue
		}
		name, rest, ok := strings.Cut(line, ":")
		rest = strings.TrimSpace(rest)
		if strings.HasPrefix(line, "Keep it apart") {
			continue
		}
		if !ok {
			return Share{}, errShare("has a line that it should not have", nil)
		}
		if seen[name]++; seen[name] > 1 && name != "words" || seen[name] > 2 {
			return Share{}, errShare("says "+`"`+shareField(name)+`"`+" twice", nil)
		}
		var err error
		switch name {
		case "organisation":
			s.Organisation = rest
		case "share":
			_, err = fmt.Sscanf(rest, "%d of %d, any %d restore the root", &s.Index, &s.Of, &s.Threshold)
		case "set":
			s.Set, err = hexField(rest, 8)
		case "root":
			s.Root, err = hexField(rest, 16)
		case "made":
			s.MadeAt, err = time.Parse(time.RFC3339, rest)
		case "words":
			var part []byte
			part, err = unwords(strings.Fields(rest))
			value = append(value, part...)
		case "check":
			check = strings.Fields(strings.ToLower(rest))
		default:
			err = errors.New("unknown")
		}
		if err != nil {
			return Share{}, errShare("has a line "+`"`+shareField(name)+`"`+" that cannot be read", err)
		}
	}
	if lines.Err() != nil || !titled {
		return Share{}, errShare("is not one", lines.Err())
	}
	if len(value) != rootSize || s.Index < 1 || s.Index > s.Of || s.Of > MaxShares || s.Threshold < MinThreshold || s.Threshold > s.Of || s.Set == "" || s.Root == "" || s.MadeAt.IsZero() {
		return Share{}, errShare("is not whole", nil)
	}
	s.value = func() []byte { return value }
	if !slices.Equal(check, s.check()) {
		return Share{}, errShare("was changed or mistyped: its check words do not fit", nil)
	}
	return s, nil
}

// shareField names a line of a share in an error, where it is one.
func shareField(name string) string {
	if slices.Contains([]string{"organisation", "share", "set", "root", "made", "words", "check"}, name) {
		return name
	}
	return "?"
}

func hexField(s string, n int) (string, error) {
	s = strings.ToLower(s)
	if raw, err := hex.DecodeString(s); err != nil || len(raw)*2 != n {
		return "", errors.New("not hexadecimal")
	}
	return s, nil
}

func errShare(title string, err error) *problem.Problem {
	p := problem.BadField("share", title, "Compare it with the sheet or the file that `sallyport key backup` wrote")
	if err != nil {
		p = p.Because(err)
	}
	return p
}

// combineShares gives the root back, if the shares belong together and are
// enough, and what they give has the fingerprint that they name.
func combineShares(shares []Share) (*rootKey, error) {
	if len(shares) == 0 {
		return nil, problem.BadField("share", "there is none", "Give the files of the shares")
	}
	first, points := shares[0], []point{}
	for _, s := range shares {
		if s.value == nil {
			return nil, errShare("is empty", nil)
		}
		if s.Root != first.Root {
			return nil, problem.BadField("share", fmt.Sprintf("share %d is of another root (%s, and the first is of %s)", s.Index, s.Root, first.Root), "Give shares of one root")
		}
		if s.Set != first.Set || s.Threshold != first.Threshold || s.Of != first.Of {
			return nil, problem.BadField("share", fmt.Sprintf("share %d is of another splitting (set %s, and the first is of set %s)", s.Index, s.Set, first.Set), "Shares of two splittings do not fit together, even of one root: give those of one set")
		}
		if slices.ContainsFunc(points, func(p point) bool { return int(p.x) == s.Index }) {
			return nil, problem.BadField("share", fmt.Sprintf("share %d is given twice", s.Index), "Give different shares")
		}
		points = append(points, point{byte(s.Index), s.value()})
	}
	if len(points) < first.Threshold {
		return nil, problem.BadField("share", fmt.Sprintf("%d of the %d that it takes are given", len(points), first.Threshold), fmt.Sprintf("Give %d more of set %s.", first.Threshold-len(points), first.Set))
	}
	raw, err := combine(points)
	if err != nil {
		return nil, errShare("does not fit the others", err)
	}
	root, err := newRootKey(raw)
	if err != nil {
		return nil, err
	}
	if root.id != first.Root {
		return nil, problem.BadField("share", "what the shares give is not the root that they name", "One of them is not genuine. Try with others of the set")
	}
	return root, nil
}

// RestoreRoot writes the root that the shares give into a key file: at path, or
// where path is empty as root.key in the keyring's directory. It writes nothing
// unless the root has the fingerprint on the shares and, where there is a keyring
// in dir, opens it. A keyring that was under a passphrase or a key service is from
// then on under the key file. It returns where the root is.
func RestoreRoot(dir, path string, shares []Share) (string, error) {
	root, err := combineShares(shares)
	if err != nil {
		return "", err
	}
	name := path
	if path == "" {
		name = filepath.Join(dir, rootFile)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return "", fmt.Errorf("restore root: %w", err)
		}
	}
	var doc keyringDoc
	if _, err = os.Stat(dir); err == nil {
		// Before it is read: another process may be rotating the root.
		unlock, err := lockStore(dir)
		if err != nil {
			return "", err
		}
		defer unlock()
	}
	err = readJSON(filepath.Join(dir, keyringFile), &doc)
	lost := errors.Is(err, fs.ErrNotExist) // then it comes back from the key store's backup
	if err != nil && !lost {
		return "", err
	}
	if !lost {
		if _, err := root.Decrypt(doc.Check, purpose("check")); err != nil {
			return "", problem.BadField("share", "the shares are of another root than the keyring in "+dir, "Give shares that were made since the root was rotated last").Because(err)
		}
	}
	if err := writeRoot(name, root); err != nil {
		return "", err
	}
	if lost || doc.Root.Kind == kindFile && (path != "" || doc.Root.File == "") {
		return name, nil
	}
	doc.Root = rootParams{Kind: kindFile}
	if err := replaceJSON(filepath.Join(dir, keyringFile), doc); err != nil {
		return "", fmt.Errorf("restore root: %w", err)
	}
	return name, nil
}

// writeRoot writes a key file, or finds it there as it should be.
func writeRoot(path string, root *rootKey) error {
	err := writeOnce(path, keyLine(root.raw()))
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	there, err := keyFile{path: path}.open("", rootParams{Kind: kindFile})
	if err != nil || there.id != root.id {
		return problem.New(problem.Conflict, path+" is there and is another root key", "Move it away first; it is not overwritten, for it may open something").Because(err)
	}
	return nil
}

// The letters of proquints: 4 bits a consonant, 2 bits a vowel.
const (
	consonants = "bdfghjklmnprstvz"
	vowels     = "aiou"
)

// words writes an even number of bytes as proquints.
func words(b []byte) (out []string) {
	for ; len(b) >= 2; b = b[2:] {
		v := binary.BigEndian.Uint16(b)
		out = append(out, string([]byte{consonants[v>>12], vowels[v>>10&3], consonants[v>>6&15], vowels[v>>4&3], consonants[v&15]}))
	}
	return out
}

// unwords reads them.
func unwords(in []string) (out []byte, err error) {
	for i, w := range in {
		w = strings.ToLower(w)
		if len(w) != 5 {
			return nil, errors.New("word " + strconv.Itoa(i+1) + " has not five letters")
		}
		v := uint16(0)
		for at := range len(w) {
			set, bits := consonants, 4
			if at%2 == 1 {
				set, bits = vowels, 2
			}
			n := strings.IndexByte(set, w[at])
			if n < 0 {
				return nil, errors.New("word " + strconv.Itoa(i+1) + " has a letter that it cannot have")
			}
			v = v<<bits | uint16(n)
		}
		out = binary.BigEndian.AppendUint16(out, v)
	}
	return out, nil
}
