package text

// Record x.
type Record struct{}

func (r *Record) match(f *finder)           {}
func (r *Record) hasDate(d date) bool       { return false }
func (r *Record) hasMonthDay(m, d int) bool { return false }
