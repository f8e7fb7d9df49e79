package audit

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/sallyport/sallyport/id"
)

// raw returns the bytes of a durable entry.
func (l *Log) raw(index uint64) ([]byte, error) {
	l.mu.Lock()
	if index >= l.durable {
		l.mu.Unlock()
		return nil, fmt.Errorf("%w: %d, and the log has %d", ErrNotFound, index, l.durable)
	}
	size := l.size
	for _, b := range l.pending {
		if index >= size && b.first <= index && index < b.next() {
			e := bytes.Clone(b.entry(index - b.first))
			l.mu.Unlock()
			return e, nil
		}
	}
	l.mu.Unlock()
	b, err := readTile(l.fs, "entries", index/tileWidth, bundleWidth(index, size))
	if err != nil {
		return nil, err
	}
	e, _, err := bundleEntry(b, int(index%tileWidth))
	return e, err
}

// Entry returns a durable entry.
func (l *Log) Entry(_ context.Context, index uint64) (Entry, error) {
	b, err := l.raw(index)
	if err != nil {
		return Entry{}, err
	}
	return Decode(index, b)
}

// Bytes returns the JSON of a durable entry, as the tree holds it.
func (l *Log) Bytes(_ context.Context, index uint64) ([]byte, error) { return l.raw(index) }

// Act returns the entry of an act, or ErrNotFound.
func (l *Log) Act(ctx context.Context, a id.Act) (Entry, error) {
	l.mu.Lock()
	at, ok := l.index.acts[actKey(a)]
	l.mu.Unlock()
	if !ok {
		return Entry{}, fmt.Errorf("%w: of act %s", ErrNotFound, a)
	}
	return l.Entry(ctx, at)
}

// Decision returns the durable entries of a decision in their order: its intent
// or refusal, and every outcome. None is not an error.
func (l *Log) Decision(ctx context.Context, d id.Decision) ([]Entry, error) {
	if id.Check(d) != nil {
		return nil, fmt.Errorf("%w: not a decision's id", ErrNotFound)
	}
	h := hashDecision([]byte(d))
	made := int64(0)
	if t, err := id.Time(d); err == nil {
		made = t.Add(-clockSkew).UnixNano()
	}
	l.mu.Lock()
	groups, from, durable := slices.Clone(l.index.groups), l.index.from(), l.durable
	var tail []uint64
	for i, v := range l.index.tail {
		if v == h && from+uint64(i) < durable {
			tail = append(tail, from+uint64(i))
		}
	}
	l.mu.Unlock()
	var found []uint64
	for g, end := range groups {
		if end < made {
			continue
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		hits, err := findInGroup(l.fs, g, h)
		if err != nil {
			return nil, fmt.Errorf("read the index, which is made again when the log is opened: %w", err)
		}
		found = append(found, hits...)
	}
	var entries []Entry
	for _, at := range append(found, tail...) {
		e, err := l.Entry(ctx, at)
		if err != nil {
			return nil, err
		}
		if e.Decision() == d {
			entries = append(entries, e)
		}
	}
	return entries, nil
}

// Scan calls fn for the durable entries from up to, not including, to.
func (l *Log) Scan(ctx context.Context, from, to uint64, fn func(uint64, Entry) error) error {
	for at := from; at < to; {
		if err := ctx.Err(); err != nil {
			return err
		}
		l.mu.Lock()
		size := l.size
		l.mu.Unlock()
		if at >= size { // still in memory
			e, err := l.Entry(ctx, at)
			if err != nil {
				return err
			}
			if err := fn(at, e); err != nil {
				return err
			}
			at++
			continue
		}
		width := bundleWidth(at, size)
		b, err := readTile(l.fs, "entries", at/tileWidth, width)
		if err != nil {
			return err
		}
		first := at / tileWidth * tileWidth
		end := min(to, first+uint64(width))
		for i := first; i < end; i++ {
			var raw []byte
			if raw, b, err = bundleEntry(b, 0); err != nil {
				return err
			}
			if i < at { // before from, or handed over from memory already
				continue
			}
			e, err := Decode(i, raw)
			if err != nil {
				return err
			}
			if err := fn(i, e); err != nil {
				return err
			}
		}
		at = end
	}
	return nil
}

// Follow calls fn for every durable entry from the given index on, in order, and
// waits for more until ctx ends or fn fails; it returns that error.
func (l *Log) Follow(ctx context.Context, from uint64, fn func(index uint64, e Entry) error) error {
	for {
		l.mu.Lock()
		durable, grew, failed := l.durable, l.grew, l.failed
		l.mu.Unlock()
		if from < durable {
			if err := l.Scan(ctx, from, durable, fn); err != nil {
				return err
			}
			from = durable
			continue
		}
		if failed != nil {
			return failed
		}
		select {
		case <-grew:
		case <-l.done:
			if l.Size() <= from {
				return unavailable(errors.New("it is closed"))
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Prove returns a proof that an entry is in the log: a C2SP tlog-proof file,
// whose extra data is the entry itself, so that verify.Proof needs nothing else
// but the public key. It waits for a checkpoint that covers the entry, which
// takes up to the log's interval.
func (l *Log) Prove(ctx context.Context, index uint64) ([]byte, error) {
	for {
		l.mu.Lock()
		size, root, signed, published := l.size, l.root, l.checkpoint, l.published
		durable, failed := l.durable, l.failed
		l.mu.Unlock()
		if index >= durable {
			return nil, fmt.Errorf("%w: %d, and the log has %d", ErrNotFound, index, durable)
		}
		if index < size {
			return l.prove(index, size, root, signed)
		}
		if failed != nil {
			return nil, failed
		}
		select {
		case <-published:
		case <-ctx.Done():
			return nil, unavailable(fmt.Errorf("no checkpoint covers entry %d yet: %w", index, ctx.Err()))
		}
	}
}

func (l *Log) prove(index, size uint64, root tlog.Hash, signed []byte) ([]byte, error) {
	hashes, err := tlog.ProveRecord(int64(size), int64(index), tlog.TileHashReader(tlog.Tree{N: int64(size), Hash: root}, tileReader{l.fs}))
	if err != nil {
		return nil, err
	}
	entry, err := l.raw(index)
	if err != nil {
		return nil, err
	}
	b := []byte("c2sp.org/tlog-proof@v1\nextra ")
	b = base64.StdEncoding.AppendEncode(b, entry)
	b = append(b, "\nindex "...)
	b = strconv.AppendUint(b, index, 10)
	b = append(b, '\n')
	for _, h := range hashes {
		b = base64.StdEncoding.AppendEncode(b, h[:])
		b = append(b, '\n')
	}
	b = append(b, '\n')
	return append(b, signed...), nil
}

// tileReader gives tlog its tiles, which it checks against the root.
type tileReader struct{ fs FS }

func (tileReader) Height() int { return tileHeight }

func (r tileReader) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	data := make([][]byte, len(tiles))
	for i, t := range tiles {
		b, err := readTile(r.fs, strconv.Itoa(t.L), uint64(t.N), t.W)
		if err != nil {
			return nil, err
		}
		if len(b) < t.W*tlog.HashSize {
			return nil, errors.New("audit: a tile is cut short")
		}
		data[i] = b[:t.W*tlog.HashSize]
	}
	return data, nil
}

func (tileReader) SaveTiles([]tlog.Tile, [][]byte) {}

// Root is the tree's hash over the first n entries, as a checkpoint of that size
// would sign it: what is derived from the log keeps it, and knows the log again by
// it. It waits for a checkpoint that covers them, as Prove does.
func (l *Log) Root(ctx context.Context, n uint64) (Digest, error) {
	for {
		l.mu.Lock()
		size, root, published := l.size, l.root, l.published
		durable, failed := l.durable, l.failed
		l.mu.Unlock()
		switch {
		case n > durable:
			return Digest{}, fmt.Errorf("%w: %d, and the log has %d", ErrNotFound, n, durable)
		case n <= size:
			h, err := tlog.TreeHash(int64(n), tlog.TileHashReader(tlog.Tree{N: int64(size), Hash: root}, tileReader{l.fs}))
			return Digest(h), err
		case failed != nil:
			return Digest{}, failed
		}
		select {
		case <-published:
		case <-l.done:
			if l.Size() < n {
				return Digest{}, unavailable(errors.New("it is closed"))
			}
		case <-ctx.Done():
			return Digest{}, unavailable(fmt.Errorf("no checkpoint covers %d entries yet: %w", n, ctx.Err()))
		}
	}
}
