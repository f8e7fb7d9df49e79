package fhir

// Outcome minimises an OperationOutcome: of each issue its severity and its
// code stay. Diagnostics, details, location and expression quote requests and
// records, and go. What is not an OperationOutcome gives one that says only
// that something failed.
func (m *Minimiser) Outcome(dst, raw []byte) []byte {
	const head = `{"resourceType":"OperationOutcome","issue":[`
	const unknown = `{"severity":"error","code":"exception"}`
	mark := len(dst)
	dst = append(dst, head...)
	if len(raw) <= m.o.MaxBytes && m.check(raw) == nil {
		m.raw = raw
		dst = m.issues(dst, space(raw, 0))
		m.raw = nil
	}
	if len(dst) == mark+len(head) {
		dst = append(dst, unknown...)
	}
	return append(dst, "]}"...)
}

// maxIssues is how many issues of an outcome are told.
const maxIssues = 32

func (m *Minimiser) issues(dst []byte, start int) []byte {
	if typ, _ := m.identify(start); string(typ) != "OperationOutcome" {
		return dst
	}
	for i := start + 1; ; {
		name, v, ok := next(m.raw, i, &m.names)
		if !ok {
			return dst
		}
		i = valueEnd(m.raw, v)
		if string(name) != "issue" || m.raw[v] != '[' {
			continue
		}
		told := 0
		for k := v + 1; told < maxIssues; told++ {
			at, ok := item(m.raw, k)
			if !ok {
				break
			}
			k = valueEnd(m.raw, at)
			if m.raw[at] != '{' {
				continue
			}
			if told > 0 && dst[len(dst)-1] == '}' {
				dst = append(dst, ',')
			}
			severity, code := m.issue(at)
			dst = append(dst, `{"severity":"`...)
			dst = append(dst, severity...)
			dst = append(dst, `","code":"`...)
			dst = append(dst, code...)
			dst = append(dst, `"}`...)
		}
		return dst
	}
}

// issue reads an issue's two codes; what is not in R4's value sets (both
// bindings are required) becomes the least telling one.
func (m *Minimiser) issue(at int) (severity, code string) {
	severity, code = "error", "exception"
	for i := at + 1; ; {
		name, v, ok := next(m.raw, i, &m.names)
		if !ok {
			return severity, code
		}
		i = valueEnd(m.raw, v)
		if m.raw[v] != '"' {
			continue
		}
		switch value := m.raw[v+1 : i-1]; string(name) {
		case "severity":
			for _, s := range severities {
				if s == string(value) {
					severity = s
				}
			}
		case "code":
			for _, c := range issueTypes {
				if c == string(value) {
					code = c
				}
			}
		}
	}
}

var severities = []string{"fatal", "error", "warning", "information"}

// issueTypes is http://hl7.org/fhir/ValueSet/issue-type of R4.
var issueTypes = []string{
	"invalid", "structure", "required", "value", "invariant",
	"security", "login", "unknown", "expired", "forbidden", "suppressed",
	"processing", "not-supported", "duplicate", "multiple-matches", "not-found",
	"deleted", "too-long", "code-invalid", "extension", "too-costly",
	"business-rule", "conflict",
	"transient", "lock-error", "no-store", "exception", "timeout", "incomplete", "throttled",
	"informational",
}
