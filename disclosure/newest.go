package disclosure

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
)

// newestSegments is how many segments one question for the newest reads: what it costs
// stays the same however long the log is.
const newestSegments = 12

// Newest is a page of at most limit rows that keep wants (nil: all), the newest first.
// It looks back over a bounded part of the log: where that held fewer than limit, Next
// still says from where to go on. For the page that follows, ask with Through as Next
// says it; 0: there is nothing older.
func (x *Index) Newest(ctx context.Context, q Query, limit int, keep func(Row) bool, want ...Kind) (Page, error) {
	f, err := x.find(ctx, q)
	if err != nil {
		return Page{}, err
	}
	set, err := setOf(want)
	if err != nil {
		return Page{}, err
	}
	page := Page{Log: f.origin, Through: f.q.Through, Items: []Row{}}
	looked := 0
	for i := len(f.segments) - 1; i >= 0; i-- {
		s := f.segments[i]
		if !f.may(s, 0) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return Page{}, err
		}
		if looked == newestSegments {
			page.Next = s.base + s.span
			return page, nil
		}
		looked++
		full, err := f.backwards(s, set, limit, keep, &page)
		if err != nil {
			return Page{}, f.damaged(ctx, err)
		}
		if full {
			return page, nil
		}
	}
	return page, nil
}

// backwards adds the rows of a segment to a page, the last first, and says that it is
// full as soon as there is one more than it holds.
func (f *search) backwards(s *segment, want kinds, limit int, keep func(Row) bool, page *Page) (full bool, err error) {
	p, err := s.open()
	if err != nil {
		return false, err
	}
	defer p.close()
	rows, err := p.part(partRows)
	if err != nil {
		return false, err
	}
	var hot, cold []byte
	for at := len(rows) - rowLen; at >= 0; at -= rowLen {
		b := rows[at : at+rowLen]
		if want>>b[2]&1 == 0 || !f.match[binary.LittleEndian.Uint32(b[4:])] {
			continue
		}
		r := readRow(b)
		index := s.base + uint64(r.off)
		if r.time < f.since || r.time >= f.until || index >= f.q.Through {
			continue
		}
		if cold == nil { // the rest is read for a segment that has something
			if hot, err = p.part(partHot); err != nil {
				return false, err
			}
			if cold, err = p.part(partCold); err != nil {
				return false, err
			}
		}
		row, err := f.row(r, index, hot, cold)
		if err != nil {
			return false, err
		}
		if keep != nil && !keep(row) {
			continue
		}
		if len(page.Items) == limit {
			page.Next = page.Items[limit-1].Index
			return true, nil
		}
		page.Items = append(page.Items, row)
	}
	return false, nil
}

// parts reads a segment part by part.
type parts struct {
	s *segment
	f *os.File // nil: it is in memory
}

func (s *segment) open() (*parts, error) {
	if s.file == "" {
		return &parts{s: s}, nil
	}
	f, err := os.Open(s.file)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errDamaged, err)
	}
	return &parts{s, f}, nil
}

func (p *parts) part(which int) ([]byte, error) {
	if p.f == nil {
		return map[int][]byte{partRows: p.s.rows, partHot: p.s.hot, partCold: p.s.cold}[which], nil
	}
	return p.s.part(p.f, which)
}

func (p *parts) close() {
	if p.f != nil {
		_ = p.f.Close() // it was only read
	}
}
