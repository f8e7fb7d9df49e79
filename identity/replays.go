package identity

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
)

// Limits on what is remembered. An application that is registered but hostile
// can use up its own share, not another's.
const (
	maxReplays       = 200_000
	maxReplaysPerApp = 20_000
	// replayMargin is how long a jti is remembered beyond the end of its
	// assertion: the skew that is allowed on that end, and as much again.
	replayMargin = 2 * skew
)

// Replays remembers which assertions were used (RFC 7523, section 3, on jti),
// for longer than they could be used again. It keeps them in a file, since an
// assertion that was used before a restart is still young after it: each use is
// durable before it counts. The file holds digests and times.
//
// When there is no room, or no disk, it refuses; it never forgets early. One
// process uses one file. Where several nodes serve one token URL, an assertion
// can be used once on each; what it yields is bound to the client certificate
// of a device of the same vendor, so a copy of an assertion is worth nothing
// without that vendor's device.
type Replays struct {
	mu   sync.Mutex
	path string
	file *os.File
	// good is the file's length up to the last complete line. A failed write is
	// cut off there before the next.
	good int64
	// lines counts the uses in the file, forgotten ones too; at compactAt it is
	// rewritten without those.
	lines     int
	compactAt int
	swept     time.Time
	used      map[[sha256.Size]byte]use
	count     map[id.App]int
	// forgotten is the latest end among uses that were dropped. What ends by
	// then is refused: should a clock go back, the memory of it is gone.
	forgotten int64
	closed    bool
	max       int
	maxApp    int
}

type use struct {
	app   id.App
	until int64 // unix seconds: remembered until then
}

// OpenReplays opens or creates the file at path.
func OpenReplays(path string, now time.Time) (*Replays, error) {
	r := &Replays{path: path, used: map[[sha256.Size]byte]use{}, count: map[id.App]int{}, max: maxReplays, maxApp: maxReplaysPerApp}
	data, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read used assertions: %w", err)
	}
	if err := r.load(data); err != nil {
		return nil, err
	}
	r.forget(now)
	if err := r.rewrite(); err != nil {
		return nil, err
	}
	return r, nil
}

// load reads the file: "forgotten TIME", then a line "UNTIL APP DIGEST" for
// each use. A last line without its newline was cut off by a crash before it
// counted.
func (r *Replays) load(data []byte) error {
	bad := func(n int) error {
		return problem.BadField(r.path, fmt.Sprintf("Line %d is damaged", n),
			"Find out what damaged it. To start without it, wait until six minutes after the last start of the server, then remove the file")
	}
	data = data[:bytes.LastIndexByte(data, '\n')+1]
	lines := bufio.NewScanner(bytes.NewReader(data))
	for n := 1; lines.Scan(); n++ {
		f := bytes.Fields(lines.Bytes())
		if n == 1 {
			if len(f) != 2 || string(f[0]) != "forgotten" {
				return bad(n)
			}
			t, err := strconv.ParseInt(string(f[1]), 10, 64)
			if err != nil {
				return bad(n)
			}
			r.forgotten = t
			continue
		}
		if len(f) != 3 {
			return bad(n)
		}
		until, err := strconv.ParseInt(string(f[0]), 10, 64)
		sum, err2 := hex.DecodeString(string(f[2]))
		u := use{app: id.App(f[1]), until: until}
		if err != nil || err2 != nil || len(sum) != sha256.Size || id.Check(u.app) != nil {
			return bad(n)
		}
		if key := [sha256.Size]byte(sum); r.used[key] == (use{}) {
			r.used[key] = u
			r.count[u.app]++
		}
	}
	return lines.Err()
}

// Use marks an assertion as used, or says why it may not be: AssertionReplayed,
// ReplayCacheFull or ReplayCacheFailed. The empty Reason means that it is the
// first use, and durable.
func (r *Replays) Use(app id.App, jti string, expires, now time.Time) Reason {
	until := expires.Add(replayMargin).Unix()
	key := sha256.Sum256([]byte(string(app) + "\x00" + jti))
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed || id.Check(app) != nil {
		return ReplayCacheFailed
	}
	if _, ok := r.used[key]; ok || until <= r.forgotten {
		return AssertionReplayed
	}
	if full := r.full(app); full || r.lines >= r.compactAt {
		// At most once a second, or who keeps it full would keep it busy too.
		if d := now.Sub(r.swept); d < 0 || d >= time.Second {
			r.swept = now
			r.forget(now)
		}
		if r.full(app) {
			return ReplayCacheFull
		}
		if r.lines >= r.compactAt {
			if err := r.rewrite(); err != nil {
				return ReplayCacheFailed
			}
		}
	}
	// Remembered even if the write fails, so that it cannot pass on a retry.
	r.used[key] = use{app: app, until: until}
	r.count[app]++
	if err := r.append(key, r.used[key]); err != nil {
		return ReplayCacheFailed
	}
	return ""
}

// Used reports whether Use would say that it was used. It marks nothing: what must
// not be lost if the work fails half-way is looked up first, and marked when it is
// done.
func (r *Replays) Used(app id.App, jti string, expires time.Time) bool {
	key := sha256.Sum256([]byte(string(app) + "\x00" + jti))
	r.mu.Lock()
	defer r.mu.Unlock()
	_, ok := r.used[key]
	return ok || expires.Add(replayMargin).Unix() <= r.forgotten
}

// full reports whether there is no room for one more of the application.
func (r *Replays) full(app id.App) bool { return len(r.used) >= r.max || r.count[app] >= r.maxApp }

// forget drops what cannot be used any more.
func (r *Replays) forget(now time.Time) {
	t := now.Unix()
	for key, u := range r.used {
		if u.until <= t {
			r.forgotten = max(r.forgotten, u.until)
			delete(r.used, key)
			if r.count[u.app]--; r.count[u.app] == 0 {
				delete(r.count, u.app)
			}
		}
	}
}

func (u use) line(key [sha256.Size]byte) string {
	return strconv.FormatInt(u.until, 10) + " " + string(u.app) + " " + hex.EncodeToString(key[:]) + "\n"
}

func (r *Replays) append(key [sha256.Size]byte, u use) error {
	line := u.line(key)
	_, err := r.file.WriteAt([]byte(line), r.good)
	if err != nil {
		if cut := r.file.Truncate(r.good); cut == nil {
			return err // a full disk: the next use may find room
		}
	} else {
		err = r.file.Sync()
	}
	if err != nil {
		// Nobody knows what is on the disk now: stop until a restart reads it.
		err = errors.Join(err, r.file.Close())
		r.file, r.closed = nil, true
		return err
	}
	r.good += int64(len(line))
	r.lines++
	return nil
}

// rewrite replaces the file by one that holds only what must be remembered.
func (r *Replays) rewrite() error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "forgotten %d\n", r.forgotten)
	for key, u := range r.used {
		b.WriteString(u.line(key))
	}
	f, err := os.CreateTemp(filepath.Dir(r.path), filepath.Base(r.path)+".new-*") // mode 0600
	if err != nil {
		return fmt.Errorf("rewrite used assertions: %w", err)
	}
	err = write(f, b.Bytes())
	if err == nil {
		err = os.Rename(f.Name(), r.path)
	}
	if err == nil {
		err = syncDir(filepath.Dir(r.path))
	}
	if err != nil {
		return fmt.Errorf("rewrite used assertions: %w", errors.Join(err, f.Close(), os.Remove(f.Name())))
	}
	if r.file != nil {
		r.file.Close() // the old file is gone from its folder; nothing in it is wanted
	}
	r.file, r.good, r.lines = f, int64(b.Len()), len(r.used)
	r.compactAt = max(4096, 2*len(r.used))
	return nil
}

// Close ends its use; afterwards every Use is refused.
func (r *Replays) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil
	}
	r.closed = true
	return r.file.Close()
}
