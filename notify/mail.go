package notify

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	netmail "net/mail"
	"strconv"
	"strings"
	"time"

	"github.com/wneessen/go-mail"
)

// MailConfig is how mail leaves. There is no way without TLS: a reminder names people,
// machines and vendors.
type MailConfig struct {
	Server   string // host:port
	Implicit bool   // TLS from the first byte (port 465); else STARTTLS, without which nothing is sent
	Roots    *x509.CertPool
	Username string // empty: no authentication
	Password string
	From     string // an address
	// Host ends the Message-ID.
	Host string
	Now  func() time.Time
}

// Mail sends by SMTP (RFC 5321).
type Mail struct {
	o    MailConfig
	host string
	port int
}

// mailTimeout bounds a whole conversation with the server.
const mailTimeout = 30 * time.Second

// NewMail checks the configuration.
func NewMail(o MailConfig) (*Mail, error) {
	host, port, err := net.SplitHostPort(o.Server)
	if err != nil {
		return nil, fmt.Errorf("notify: the mail server's address: %w", err)
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		return nil, fmt.Errorf("notify: the mail server's port: %w", err)
	}
	if _, err := netmail.ParseAddress(o.From); err != nil {
		return nil, fmt.Errorf("notify: from: %w", err)
	}
	return &Mail{o: o, host: host, port: n}, nil
}

// Send sends to one address.
func (m *Mail) Send(ctx context.Context, to string, msg Message) error {
	if err := msg.check(); err != nil {
		return err
	}
	out := mail.NewMsg(mail.WithNoDefaultUserAgent())
	if err := out.From(m.o.From); err != nil {
		return fmt.Errorf("notify: from: %w", err)
	}
	if err := out.To(to); err != nil {
		return fmt.Errorf("notify: to: %w", err)
	}
	out.Subject(msg.Subject())
	out.SetMessageIDWithValue(msg.ID + "@" + m.o.Host)
	out.SetDateWithValue(msg.At)
	out.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: no answers of machines
	out.SetGenHeader("X-Sallyport-Notices", keys(msg.Items))
	out.SetBodyString(mail.TypeTextPlain, msg.Text())
	options := []mail.Option{mail.WithPort(m.port), mail.WithTimeout(mailTimeout), mail.WithHELO(m.o.Host),
		mail.WithTLSConfig(&tls.Config{ServerName: m.host, RootCAs: m.o.Roots, MinVersion: tls.VersionTLS12, Time: m.o.Now})}
	if m.o.Implicit {
		options = append(options, mail.WithSSL())
	} else {
		options = append(options, mail.WithTLSPolicy(mail.TLSMandatory))
	}
	if m.o.Username != "" {
		options = append(options, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover), mail.WithUsername(m.o.Username), mail.WithPassword(m.o.Password))
	}
	client, err := mail.NewClient(m.host, options...)
	if err != nil {
		return fmt.Errorf("notify: the mail server: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, mailTimeout)
	defer cancel()
	if err := client.DialAndSendWithContext(ctx, out); err != nil {
		return fmt.Errorf("notify: sending mail: %w", err)
	}
	return nil
}

// maxKeys bounds the header that names the reasons.
const maxKeys = 20

// keys are the items' reasons, for who filters or counts: ids and words of the product.
func keys(items []Item) string {
	var out []string
	for _, i := range items[:min(len(items), maxKeys)] {
		out = append(out, oneLine(i.Key))
	}
	return strings.Join(out, " ")
}
