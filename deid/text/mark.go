package text

// mark looks at a punctuation mark that may stand inside an address of the
// net: @ and :.
func (f *finder) mark(i int) {
	switch f.toks[i].ch {
	case '@':
		f.email(i)
	case ':':
		if f.at(i+1).is('/') && f.at(i+2).is('/') && f.follows(i+1) && f.follows(i+2) {
			f.url(i - 1)
			return
		}
		f.ipv6(i)
	case '.':
		// www.example.org, without a scheme
		if t := f.at(i - 1); t.kind == word && f.toks[i].gap == tight && f.follows(i+1) && string(f.str(t)) == "www" && !f.at(i-2).is('/') {
			f.url(i - 1)
		}
	}
}

// email extends an @ to both sides.
func (f *finder) email(i int) {
	if f.done(i) {
		return
	}
	from := i
	for from > 0 && f.toks[from].gap == tight && f.inLocal(from-1) {
		from--
	}
	for from < i && f.toks[from].kind == punct {
		from++
	}
	to := i
	for f.follows(to+1) && f.inDomain(to+1) {
		to++
	}
	dot := false
	for to > i && f.toks[to].kind == punct {
		to--
	}
	for k := i + 1; k <= to; k++ {
		dot = dot || f.toks[k].is('.')
	}
	if from == i || to == i {
		return
	}
	if !dot {
		if f.toks[i].gap == tight && from == i-1 && f.at(i+1).kind == word { // name@host
			f.addToks(from, to, Email, Format, .5)
		}
		return
	}
	// RFC 6761: no name under .invalid leads to anybody.
	if t := &f.toks[to]; t.kind == word && string(f.str(t)) == "invalid" {
		return
	}
	f.addToks(from, to, Email, Format, .98)
}

// done: token i is part of the address that was found last.
func (f *finder) done(i int) bool {
	if len(f.cands) == 0 {
		return false
	}
	c := &f.cands[len(f.cands)-1]
	return (c.cat == URL || c.cat == Email) && c.start <= f.toks[i].start && f.toks[i].end <= c.end
}

func (f *finder) inLocal(i int) bool {
	t := &f.toks[i]
	if t.kind != punct {
		return true
	}
	switch t.ch {
	case '.', '-', '_', '+', '\'', '%', '&', '~':
		return true
	}
	return false
}

func (f *finder) inDomain(i int) bool {
	t := &f.toks[i]
	return t.kind != punct || t.ch == '.' || t.ch == '-'
}

// url takes everything up to the next space, less marks that end a sentence.
func (f *finder) url(i int) {
	if i < 0 || f.toks[i].kind != word && f.toks[i].kind != mix || f.done(i) {
		return
	}
	to := i
	for f.follows(to + 1) {
		n := &f.toks[to+1]
		if n.kind == punct && (n.ch == '"' || n.ch == '<' || n.ch == '>' || n.ch == ')' || n.ch == ']' || n.ch == '}' || n.ch == '|') {
			break
		}
		to++
	}
	for to > i && f.toks[to].kind == punct && f.toks[to].ch != '/' {
		to--
	}
	if to <= i+3 && f.at(i+1).is(':') {
		return
	}
	f.addToks(i, to, URL, Format, .98)
}

// ipv6: hexadecimal groups with colons between, from the first colon.
func (f *finder) ipv6(i int) {
	if p := f.at(i - 1); f.toks[i].gap == tight && i > 0 && f.at(i-2).is(':') && p.gap == tight {
		return // not the first colon
	}
	from := i
	if f.toks[i].gap == tight && f.hexGroup(i-1) {
		from = i - 1
	}
	to, colons, groups, double := i, 0, 0, false
	if from < i {
		groups++
	}
	for k := i; ; {
		if !f.at(k).is(':') || k > i && !f.follows(k) {
			break
		}
		colons++
		to = k
		if f.follows(k+1) && f.at(k+1).is(':') {
			double = true
			k++
			to = k
			colons++
		}
		if f.follows(k+1) && f.hexGroup(k+1) {
			k++
			to = k
			groups++
		} else {
			break
		}
		k++
	}
	if colons < 7 && !(double && groups >= 2 && colons >= 2) || groups > 8 {
		return
	}
	f.addToks(from, to, IP, Format, .9)
}

func (f *finder) hexGroup(i int) bool {
	t := f.at(i)
	if t.kind > mix || t.len() > 4 || i < 0 {
		return false
	}
	for _, c := range f.str(t) {
		if c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f' {
			continue
		}
		return false
	}
	return true
}
