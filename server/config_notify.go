package server

import (
	"fmt"
	"net"
	netmail "net/mail"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/reminder"
)

// Notify is who is told of what, and how. Without it nobody is: papers lapse all the
// same, in the decision.
type Notify struct {
	// From is the address that mail comes from.
	From string `yaml:"from"`
	SMTP *SMTP  `yaml:"smtp"`
	// Zone is the IANA time zone of the hours below; empty: UTC.
	Zone string `yaml:"zone"`
	// DigestAt is when what is not urgent is mailed, once a day, such as 07:30. Empty: at
	// once, outside quiet hours.
	DigestAt string `yaml:"digest_at"`
	// QuietHours is when only what is urgent is told to people.
	QuietHours *Hours `yaml:"quiet_hours"`
	// Duties are the addresses of those who have a duty: functions' rather than people's.
	Duties   map[registry.Duty][]string `yaml:"duties"`
	Webhooks []Webhook                  `yaml:"webhooks"`
	Routes   []Route                    `yaml:"routes"`
}

// SMTP is the organisation's mail server.
type SMTP struct {
	Server       string `yaml:"server"` // host:port
	TLS          string `yaml:"tls"`    // starttls (the default) or implicit; there is no way without
	Username     string `yaml:"username"`
	PasswordFile string `yaml:"password_file"`
	CAFile       string `yaml:"ca_file"` // vouches for it; empty: the system's authorities
}

// Hours are from one time of day to another, over midnight where the second is earlier.
type Hours struct {
	From string `yaml:"from"`
	To   string `yaml:"to"`
}

// Webhook is an address of the organisation's that takes events.
type Webhook struct {
	Name       string `yaml:"name"`
	URL        string `yaml:"url"`
	URLFile    string `yaml:"url_file"`    // instead: the address is a secret, as a chat's is
	SecretFile string `yaml:"secret_file"` // whsec_..., with which events are signed
	Chat       bool   `yaml:"chat"`        // takes what Slack takes
}

// Route sends some classes of notices to some addressees.
type Route struct {
	Classes []reminder.Class `yaml:"classes"`
	// To holds duties, mail addresses, hook:NAME, and vendor: the contact of the vendor
	// that it is about, of what a vendor may know.
	To []string `yaml:"to"`
}

const (
	toVendor   = "vendor"
	hookPrefix = "hook:"
	mailPrefix = "mail:"
)

var hookName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,30}$`)

func (n *Notify) check() error {
	if n == nil {
		return nil
	}
	bad := func(field, wrong, next string) error { return problem.BadField("notify."+field, wrong, next) }
	if n.SMTP != nil {
		if _, _, err := net.SplitHostPort(n.SMTP.Server); err != nil {
			return bad("smtp.server", "is not an address", "Write host:port, such as smtp.example.org:587")
		}
		if !slices.Contains([]string{"", "starttls", "implicit"}, n.SMTP.TLS) {
			return bad("smtp.tls", "is not starttls or implicit", "Mail never leaves without TLS; leave the key out for starttls")
		}
		if (n.SMTP.Username == "") != (n.SMTP.PasswordFile == "") {
			return bad("smtp", "names a user without a password_file, or the reverse", "Set both, or neither")
		}
		if !isAddress(n.From) {
			return bad("from", "is not a mail address", "Write one, such as sallyport@example.org")
		}
	} else if n.From != "" {
		return bad("from", "is set, and there is no smtp", "Set smtp too, or leave it out")
	}
	if _, err := time.LoadLocation(n.Zone); err != nil {
		return bad("zone", "is not a time zone of this machine", "Write an IANA name, such as America/New_York; some systems need the package tzdata")
	}
	if _, err := clockTime(n.DigestAt); n.DigestAt != "" && err != nil {
		return bad("digest_at", "is not a time of day", "Write it as \"07:30\"")
	}
	if h := n.QuietHours; h != nil {
		from, err1 := clockTime(h.From)
		to, err2 := clockTime(h.To)
		if err1 != nil || err2 != nil || from == to {
			return bad("quiet_hours", "are not from one time of day to another", "Write {from: \"20:00\", to: \"07:00\"}")
		}
	}
	for d, list := range n.Duties {
		if !slices.Contains(registry.Duties, d) {
			return bad("duties", fmt.Sprintf("%q is not a duty", d), "Use one of the duties that `sallyport person propose --help` names")
		}
		for i, a := range list {
			if !isAddress(a) {
				return bad(fmt.Sprintf("duties.%s[%d]", d, i), "is not a mail address", "Write one, such as privacy@example.org")
			}
		}
	}
	if err := n.checkHooks(bad); err != nil {
		return err
	}
	if len(n.Routes) == 0 {
		return bad("routes", "is empty", "Say who is told of what, or leave notify out")
	}
	for i, r := range n.Routes {
		if len(r.Classes) == 0 || len(r.To) == 0 {
			return bad(fmt.Sprintf("routes[%d]", i), "lacks classes or to", "Set both")
		}
		for _, c := range r.Classes {
			if !slices.Contains(reminder.Classes, c) {
				return bad(fmt.Sprintf("routes[%d].classes", i), fmt.Sprintf("%q is not a class of notices", c), fmt.Sprintf("Use some of %v", reminder.Classes))
			}
		}
		for _, to := range r.To {
			if err := n.checkTo(fmt.Sprintf("routes[%d].to", i), to, bad); err != nil {
				return err
			}
		}
	}
	return nil
}

func (n *Notify) checkHooks(bad func(field, wrong, next string) error) error {
	seen := map[string]bool{}
	for i, w := range n.Webhooks {
		at := fmt.Sprintf("webhooks[%d]", i)
		if !hookName.MatchString(w.Name) || seen[w.Name] {
			return bad(at+".name", "is not a name, or is there twice", "Use lower-case letters, digits and '-', such as siem")
		}
		seen[w.Name] = true
		if (w.URL == "") == (w.URLFile == "") {
			return bad(at, "has no address, or two", "Set url or url_file")
		}
		if w.URL != "" && !isHook(w.URL) {
			return bad(at+".url", "is not an https address", "Write https://host/path, without a user")
		}
		if w.Chat == (w.SecretFile != "") {
			return bad(at+".secret_file", "goes with every webhook but a chat", "Write whsec_ and base64 of 24 to 64 random bytes into a file; a chat has none")
		}
	}
	return nil
}

func (n *Notify) checkTo(field, to string, bad func(field, wrong, next string) error) error {
	if name, ok := strings.CutPrefix(to, hookPrefix); ok {
		if !slices.ContainsFunc(n.Webhooks, func(w Webhook) bool { return w.Name == name }) {
			return bad(field, fmt.Sprintf("there is no webhook %q", name), "Name one of webhooks")
		}
		return nil
	}
	switch {
	case to == toVendor, isAddress(to):
	case slices.Contains(registry.Duties, registry.Duty(to)):
		if len(n.Duties[registry.Duty(to)]) == 0 {
			return bad(field, fmt.Sprintf("nobody's address stands for %q", to), "Add it to notify.duties")
		}
	default:
		return bad(field, fmt.Sprintf("%q is nobody", to), "Write a duty, a mail address, hook:NAME or vendor")
	}
	if n.SMTP == nil {
		return bad(field, fmt.Sprintf("%q is told by mail, and there is no smtp", to), "Set notify.smtp, or name a webhook")
	}
	return nil
}

func isHook(text string) bool {
	u, err := url.Parse(text)
	return err == nil && u.Scheme == "https" && u.Host != "" && u.User == nil && u.Fragment == ""
}

// isAddress wants a bare address, in ASCII.
func isAddress(text string) bool {
	a, err := netmail.ParseAddress(text)
	return err == nil && a.Address == text && !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r >= 0x7f })
}

// clockTime is a time of day as minutes after midnight.
func clockTime(text string) (int, error) {
	t, err := time.Parse("15:04", text)
	return t.Hour()*60 + t.Minute(), err
}
