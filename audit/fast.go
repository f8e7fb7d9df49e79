package audit

import (
	"encoding/hex"

	"github.com/sallyport/sallyport/id"
)

// fast reads an entry in the one form that the log writes: an object whose strings
// have no escapes and whose numbers are whole, without white space. It gives up on
// anything else, and Decode then reads it as JSON. It need not be strict: what it
// read is written again, and must be the same bytes.
//
// Following a log of millions of entries is mostly reading them; encoding/json takes
// several times as long.
func (w *wire) fast(b []byte) bool {
	c := cursor{s: string(b)} // one copy, which all strings share
	if !c.skip('{') {
		return false
	}
	for {
		key := c.text()
		if !c.skip(':') {
			return false
		}
		if !w.field(&c, key) || c.bad {
			return false
		}
		if c.skip('}') {
			return c.at == len(c.s)
		}
		if !c.skip(',') {
			return false
		}
	}
}

func (w *wire) field(c *cursor, key string) bool {
	switch key {
	case "v":
		w.V = int(c.number())
	case "time":
		w.Time = c.text()
	case "kind":
		into(c, &w.Kind)
	case "origin":
		w.Origin = c.text()
	case "decision":
		into(c, &w.Decision)
	case "vendor":
		into(c, &w.Vendor)
	case "engagement":
		into(c, &w.Engagement)
	case "app":
		into(c, &w.App)
	case "device":
		into(c, &w.Device)
	case "person":
		into(c, &w.Person)
	case "grant":
		into(c, &w.Grant)
	case "role":
		into(c, &w.Role)
	case "agent":
		into(c, &w.Agent)
	case "direction":
		into(c, &w.Direction)
	case "destination":
		w.Destination = c.text()
	case "source":
		into(c, &w.Source)
	case "action":
		w.Action = c.text()
	case "resource":
		w.Resource = c.text()
	case "purpose":
		into(c, &w.Purpose)
	case "category":
		into(c, &w.Category)
	case "legal_basis":
		into(c, &w.LegalBasis)
	case "data_class":
		into(c, &w.DataClass)
	case "profile":
		w.Profile = c.text()
	case "profile_digest":
		c.digest(&w.ProfileDigest)
	case "scope_digest":
		c.digest(&w.ScopeDigest)
	case "policy":
		c.digest(&w.Policy)
	case "snapshot":
		w.Snapshot = c.number()
	case "snapshot_index":
		w.SnapshotIndex = c.number()
	case "clauses":
		w.Clauses = listOf[string](c)
	case "derives_from":
		w.DerivesFrom = listOf[id.Release](c)
	case "tls":
		w.TLS = c.text()
	case "key_exchange":
		w.KeyExchange = c.text()
	case "certificate":
		c.digest(&w.Certificate)
	case "token_binding":
		w.Binding = c.text()
	case "sealing":
		w.Sealing = c.text()
	case "region":
		w.Region = c.text()
	case "region_by":
		into(c, &w.RegionBy)
	case "failing":
		w.failing(c)
	default:
		return w.outcomeField(c, key)
	}
	return true
}

func (w *wire) outcomeField(c *cursor, key string) bool {
	switch key {
	case "ticket":
		w.Ticket = c.number()
	case "chunk":
		w.Chunk = c.number()
	case "part":
		w.Part = c.number()
	case "parts":
		w.Parts = c.number()
	case "release":
		into(c, &w.Release)
	case "result":
		into(c, &w.Result)
	case "final":
		w.Final = c.boolean()
	case "status":
		w.Status = int(c.number())
	case "upstream_status":
		w.Upstream = int(c.number())
	case "upstream_tls":
		w.LegTLS = c.text()
	case "upstream_key_exchange":
		w.LegExchange = c.text()
	case "upstream_certificate":
		c.digest(&w.LegCert)
	case "digest":
		c.digest(&w.Digest)
	case "bytes":
		w.Bytes = c.number()
	case "recipients":
		for more := c.open('['); more; more = c.more(']') {
			var d hexDigest
			c.digest(&d)
			w.Recipients = append(w.Recipients, d)
		}
	case "clear_digest":
		c.digest(&w.ClearDigest)
	case "clear_bytes":
		w.ClearBytes = c.number()
	case "patient_count":
		w.PatientCount = c.number()
	case "patients":
		w.Patients = listOf[string](c)
	case "resources":
		w.Resources = c.counts()
	case "shown":
		w.Shown = c.shown()
	case "removed":
		w.Removed = c.counts()
	case "changed":
		w.Changed = c.counts()
	case "act":
		into(c, &w.Act)
	case "act_kind":
		w.ActKind = c.text()
	case "actor":
		into(c, &w.Actor)
	case "approver":
		into(c, &w.Approver)
	case "subject":
		w.Subject = c.text()
	case "id":
		w.ID = c.text()
	case "registry":
		w.Registry = c.number()
	case "replayed":
		w.Replayed = c.number()
	case "cut":
		w.Cut = c.number()
	default:
		return false
	}
	return true
}

func (w *wire) failing(c *cursor) {
	for more := c.open('['); more; more = c.more(']') {
		for inner := c.open('{'); inner; inner = c.more('}') {
			key := c.text()
			if !c.skip(':') {
				c.bad = true
				return
			}
			if key == "gate" {
				w.Failing = append(w.Failing, struct {
					Gate   string `json:"gate"`
					Reason string `json:"reason"`
				}{Gate: c.text()})
			} else if n := len(w.Failing); key == "reason" && n > 0 {
				w.Failing[n-1].Reason = c.text()
			} else {
				c.bad = true
				return
			}
		}
	}
}

// cursor reads from the front of a string. Once something is not as it should be it
// is bad, and stays so.
type cursor struct {
	s   string
	at  int
	bad bool
}

// skip steps over one byte if it is there.
func (c *cursor) skip(b byte) bool {
	if c.bad || c.at >= len(c.s) || c.s[c.at] != b {
		return false
	}
	c.at++
	return true
}

// open steps into a list or object, which is never empty.
func (c *cursor) open(b byte) bool {
	if !c.skip(b) {
		c.bad = true
	}
	return !c.bad
}

// more steps to its next member, or out of it.
func (c *cursor) more(end byte) bool {
	if c.skip(',') {
		return true
	}
	if !c.skip(end) {
		c.bad = true
	}
	return false
}

func (c *cursor) text() string {
	if !c.skip('"') {
		c.bad = true
		return ""
	}
	from := c.at
	for c.at < len(c.s) {
		switch b := c.s[c.at]; {
		case b == '"':
			c.at++
			return c.s[from : c.at-1]
		case b == '\\' || b < ' ' || b > '~':
			c.bad = true
			return ""
		}
		c.at++
	}
	c.bad = true
	return ""
}

// number reads digits; one that is too large comes out wrong, and so does not write
// the same again.
func (c *cursor) number() (n uint64) {
	from := c.at
	for c.at < len(c.s) && '0' <= c.s[c.at] && c.s[c.at] <= '9' {
		n = n*10 + uint64(c.s[c.at]-'0')
		c.at++
	}
	if c.at == from {
		c.bad = true
	}
	return n
}

func (c *cursor) boolean() bool {
	for _, word := range []string{"true", "false"} {
		if len(c.s)-c.at >= len(word) && c.s[c.at:c.at+len(word)] == word {
			c.at += len(word)
			return word == "true"
		}
	}
	c.bad = true
	return false
}

func (c *cursor) digest(d *hexDigest) {
	text := c.text()
	if len(text) != 2*len(d) {
		c.bad = true
		return
	}
	var digits [2 * len(hexDigest{})]byte
	copy(digits[:], text)
	if _, err := hex.Decode(d[:], digits[:]); err != nil {
		c.bad = true
	}
}

func (c *cursor) counts() (out counts) {
	for more := c.open('{'); more; more = c.more('}') {
		t := TypeCount{Type: c.text()}
		if !c.skip(':') {
			c.bad = true
		}
		t.N = c.number()
		out = append(out, t)
	}
	return out
}

func (c *cursor) shown() (out shown) {
	for more := c.open('{'); more; more = c.more('}') {
		t := TypeShown{Type: c.text()}
		if !c.skip(':') {
			c.bad = true
		}
		t.Bits = c.text()
		out = append(out, t)
	}
	return out
}

// into reads a string into one of its types.
func into[T ~string](c *cursor, v *T) { *v = T(c.text()) }

// listOf reads a list of strings.
func listOf[T ~string](c *cursor) (out []T) {
	for more := c.open('['); more; more = c.more(']') {
		out = append(out, T(c.text()))
	}
	return out
}
