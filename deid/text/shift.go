package text

import (
	"time"
)

// parsed is a date found in a text, with where its parts stand.
type parsed struct {
	page              page // the folded value
	year, month, day  int  // 0: not given
	short             bool // the year has two digits
	yTok, mTok, dTok  int  // tokens, -1 for none
	monthWord, dayExt bool // the month is a word; the day has an ending, as 3rd
	weekday           int  // token of a weekday that stands alone, -1 for none
}

// parseDate reads what the engine calls a date. ok is false for a holiday, a
// range and what else has no day to count from.
func parseDate(value []byte) (d parsed, ok bool) {
	d.yTok, d.mTok, d.dTok, d.weekday = -1, -1, -1, -1
	d.page.fold(value)
	d.page.tokenize(loadDictionary())
	f := finder{page: &d.page, dict: loadDictionary()}
	var nums []int
	for i := range f.toks {
		t := &f.toks[i]
		if t.kind == punct && t.ch == ':' {
			if n := len(nums); n > 0 && nums[n-1] == i-1 {
				nums = nums[:n-1] // the hour of a time of day
			}
			break
		}
		switch {
		case t.kind == word && t.cue&cMonth != 0 && monthNumber(f.str(t)) > 0 && d.mTok < 0:
			d.month, d.mTok, d.monthWord = monthNumber(f.str(t)), i, true
		case t.kind == word && t.cue&cWeekday != 0:
			d.weekday = i
		case t.kind == mix && f.dayOf(t) > 0 && d.dTok < 0:
			d.day, d.dTok, d.dayExt = f.dayOf(t), i, true
		case t.kind == num:
			nums = append(nums, i)
		case t.kind == mix:
			if day, n := f.leadingDay(t); n > 0 { // 26T10
				d.day, d.dTok = day, i
				continue
			}
			return d, false
		}
	}
	year := func(i int) {
		t := &f.toks[i]
		d.year, d.yTok = f.value(t), i
		if t.len() == 2 {
			d.year, d.short = century(d.year, 30), true
		}
	}
	switch {
	case d.monthWord:
		for _, i := range nums {
			switch n := f.toks[i].len(); {
			case n == 4 && d.yTok < 0:
				year(i)
			case n <= 2 && d.dTok < 0 && (len(nums) < 2 || i < d.mTok || i == nums[0]):
				d.day, d.dTok = f.value(&f.toks[i]), i
			case n == 2 && d.yTok < 0:
				year(i)
			default:
				return d, false
			}
		}
	case len(nums) == 1 && d.dTok < 0:
		if f.toks[nums[0]].len() != 4 {
			return d, false
		}
		year(nums[0])
	case len(nums) == 2 && d.dTok >= 0: // 1931-05-26T10
		year(nums[0])
		d.month, d.mTok = f.value(&f.toks[nums[1]]), nums[1]
	case len(nums) == 2 && f.toks[nums[1]].len() == 4: // 5/2019
		d.month, d.mTok = f.value(&f.toks[nums[0]]), nums[0]
		year(nums[1])
	case len(nums) == 2: // 9/27
		d.month, d.mTok, d.day, d.dTok = f.value(&f.toks[nums[0]]), nums[0], f.value(&f.toks[nums[1]]), nums[1]
	case len(nums) >= 3 && f.toks[nums[0]].len() == 4:
		year(nums[0])
		d.month, d.mTok, d.day, d.dTok = f.value(&f.toks[nums[1]]), nums[1], f.value(&f.toks[nums[2]]), nums[2]
	case len(nums) >= 3:
		d.month, d.mTok, d.day, d.dTok = f.value(&f.toks[nums[0]]), nums[0], f.value(&f.toks[nums[1]]), nums[1]
		year(nums[2])
	default:
		return d, false
	}
	if d.month > 12 && d.day >= 1 && d.day <= 12 && !d.monthWord {
		d.month, d.day, d.mTok, d.dTok = d.day, d.month, d.dTok, d.mTok
	}
	if d.month > 12 || d.day > 31 || d.mTok >= 0 && d.month == 0 || d.dTok >= 0 && d.day == 0 {
		return d, false
	}
	return d, true
}

// shiftDate appends the date moved by days, in the form it was written in. ok is
// false where the form is not understood.
func shiftDate(dst, value []byte, days int) ([]byte, bool) {
	d, ok := parseDate(value)
	if !ok {
		return weekdayShift(dst, &d, days)
	}
	y, m, day := d.year, d.month, d.day
	if y == 0 {
		y = 2001
	}
	if m == 0 {
		m, day = 7, 1
	} else if day == 0 {
		day = 15
	}
	to := time.Date(y, time.Month(m), day, 0, 0, 0, 0, time.UTC).AddDate(0, 0, days)
	if to.Year() < 1 || to.Year() > 9999 {
		return dst, false
	}
	at := 0
	p := &d.page
	for i := range p.toks {
		t := &p.toks[i]
		var s string
		switch i {
		case d.yTok:
			if s = four(to.Year()); d.short {
				s = s[2:]
			}
		case d.mTok:
			s = monthAs(to.Month(), p, t, d.monthWord)
		case d.dTok:
			s = dayAs(to.Day(), p, t, d.dayExt)
		case d.weekday:
			s = caseAs(to.Weekday().String(), p.str(t))
		default:
			continue
		}
		dst = append(dst, p.text[at:t.start]...)
		dst = append(dst, s...)
		at = int(t.end)
	}
	return append(dst, p.text[at:]...), true
}

// weekdayShift moves a weekday that stands alone.
func weekdayShift(dst []byte, d *parsed, days int) ([]byte, bool) {
	if d.weekday < 0 || len(d.page.toks) != 1 {
		return dst, false
	}
	w := d.page.str(&d.page.toks[0])
	for k := range 7 {
		if equalFold(w, lowerASCII(time.Weekday(k).String())) {
			return append(dst, caseAs(time.Weekday(((k+days)%7+7)%7).String(), w)...), true
		}
	}
	return dst, false
}

func lowerASCII(s string) string {
	b := []byte(s)
	for i, c := range b {
		if class[c] == clUpper {
			b[i] = c | 0x20
		}
	}
	return string(b)
}

func monthAs(m time.Month, p *page, t *token, isWord bool) string {
	if !isWord {
		return digitsAs(int(m), t.len())
	}
	s := m.String()
	if full := p.str(t); len(full) < len(monthNames[monthNumber(full)-1]) {
		s = s[:3]
	}
	return caseAs(s, p.str(t))
}

func dayAs(day int, p *page, t *token, ext bool) string {
	if t.kind == mix && !ext { // 26T10
		return digitsAs(day, 2) + string(p.text[t.start+2:t.end])
	}
	if !ext {
		return digitsAs(day, t.len())
	}
	end := "th"
	if day < 10 || day > 20 {
		switch day % 10 {
		case 1:
			end = "st"
		case 2:
			end = "nd"
		case 3:
			end = "rd"
		}
	}
	return digitsAs(day, 1) + end
}

// digitsAs writes n with the zero that the other had: 03 for a width of two.
// A single digit may grow to two.
func digitsAs(n, width int) string {
	if n >= 10 || width > 1 {
		return string([]byte{byte('0' + n/10), byte('0' + n%10)})
	}
	return string([]byte{byte('0' + n)})
}

// caseAs writes s in the case of like.
func caseAs(s string, like []byte) string {
	b := []byte(s)
	low, up := false, false
	for _, c := range like {
		low, up = low || class[c] == clLower, up || class[c] == clUpper
	}
	for i, c := range b {
		switch {
		case up && !low && len(like) > 1:
			if class[c] == clLower {
				b[i] = c &^ 0x20
			}
		case low && !up:
			if class[c] == clUpper {
				b[i] = c | 0x20
			}
		case i == 0 && class[c] == clLower:
			b[i] = c &^ 0x20
		}
	}
	return string(b)
}
