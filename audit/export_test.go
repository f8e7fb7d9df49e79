package audit

// WithSegments makes journal segments end after so many bytes, so that a short
// test has many.
func (o Options) WithSegments(bytes int64) Options {
	o.segment = bytes
	return o
}
