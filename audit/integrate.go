package audit

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/mod/sumdb/note"
)

// integrator moves durable entries into the tree and signs it.
func (l *Log) integrator() {
	defer close(l.done)
	for {
		select {
		case <-l.integrate:
		case <-l.drained:
			l.grow()
			return
		}
		wait := time.NewTimer(l.interval)
		for waiting := true; waiting; {
			l.mu.Lock()
			eager := l.pendingBytes > eagerBytes || l.failed != nil
			l.mu.Unlock()
			if eager {
				break
			}
			select {
			case <-wait.C:
				waiting = false
			case <-l.drained:
				waiting = false
			case <-l.integrate:
			}
		}
		wait.Stop()
		l.grow()
	}
}

// grow integrates what is durable now.
func (l *Log) grow() {
	l.mu.Lock()
	batches := l.pending
	failed := l.failed
	l.mu.Unlock()
	if failed != nil || len(batches) == 0 {
		return
	}
	err := func() error {
		for _, b := range batches {
			for i := range b.at {
				if err := l.tree.add(b.entry(uint64(i))); err != nil {
					return err
				}
			}
		}
		return l.publish()
	}()
	if err != nil {
		l.mu.Lock()
		l.failLocked(fmt.Errorf("grow the tree: %w", err))
		l.mu.Unlock()
		return
	}
	l.mu.Lock()
	for _, b := range batches {
		l.pendingBytes -= len(b.buf) - frameHead
		if len(l.spare) < maxSpare && cap(b.buf) <= 64<<10 {
			l.spare = append(l.spare, *b)
		}
		b.buf, b.at = nil, nil // in the tree: nobody reads them here any more
	}
	l.pending = append([]*batch(nil), l.pending[len(batches):]...)
	l.room.Broadcast()
	size := l.size
	l.mu.Unlock()

	// Nothing below is needed to read the log: what is not swept or indexed now is
	// swept or indexed later.
	if err := errors.Join(l.journal.trim(size), l.tree.sweep(), l.flushIndex(size), l.journal.prepare()); err != nil {
		l.logger.Warn("audit: tidying up behind a checkpoint; it will be tried again", "err", err)
	}
}

// publish makes the tree durable, then signs it, then makes the signature
// durable. In between a crash leaves the old checkpoint and all that it needs.
func (l *Log) publish() error {
	if err := l.tree.flush(); err != nil {
		return err
	}
	root := l.tree.root()
	signed, err := note.Sign(&note.Note{Text: checkpointText(l.origin, l.tree.n, root)}, l.signer)
	if err != nil {
		return err
	}
	if err := replaceFile(l.fs, checkpointFile, signed, true); err != nil {
		return err
	}
	l.mu.Lock()
	l.size, l.root, l.checkpoint = l.tree.n, root, signed
	close(l.published)
	l.published = make(chan struct{})
	l.mu.Unlock()
	return nil
}
