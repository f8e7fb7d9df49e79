package notify

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Webhook posts messages to an address of the organisation's, signed as Standard
// Webhooks has it (webhook-id, webhook-timestamp, webhook-signature), or, for a chat,
// as one text. The client decides which addresses it may reach.
type Webhook struct {
	URL    string
	Secret []byte // of the signature; for a chat there is none: its address is the secret
	Chat   bool   // {"text": ...}
	Client *http.Client
	Now    func() time.Time
}

// secretPrefix is how Standard Webhooks writes a secret.
const secretPrefix = "whsec_"

// minSecret is the shortest secret that signs.
const minSecret = 24

var errSecret = errors.New("notify: a webhook's secret is whsec_ and base64 of 24 bytes or more")

// ParseSecret reads a secret as Standard Webhooks writes it.
func ParseSecret(text string) ([]byte, error) {
	rest, ok := strings.CutPrefix(strings.TrimSpace(text), secretPrefix)
	if !ok {
		return nil, errSecret
	}
	raw, err := base64.StdEncoding.DecodeString(rest)
	if err != nil || len(raw) < minSecret {
		return nil, errSecret
	}
	return raw, nil
}

// Sign is the signature over the id, the time and the body.
func Sign(secret []byte, id string, at time.Time, body []byte) string {
	h := hmac.New(sha256.New, secret)
	fmt.Fprintf(h, "%s.%d.", id, at.Unix())
	h.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(h.Sum(nil))
}

// event is the body of a webhook.
type event struct {
	Type      string    `json:"type"`
	Timestamp time.Time `json:"timestamp"`
	Data      struct {
		Organisation string `json:"organisation"`
		Notices      []Item `json:"notices"`
	} `json:"data"`
}

// webhookTimeout bounds one call.
const webhookTimeout = 10 * time.Second

// Send posts the message. Where it goes is the webhook's own.
func (w *Webhook) Send(ctx context.Context, _ string, m Message) error {
	if err := m.check(); err != nil {
		return err
	}
	var payload any = map[string]string{"text": m.Subject() + "\n" + m.Text()}
	if !w.Chat {
		e := event{Type: "sallyport.notices", Timestamp: m.At.UTC()}
		e.Data.Organisation, e.Data.Notices = m.Organisation, m.Items
		payload = e
	}
	body, err := json.Marshal(payload)
	if err != nil {
		return fmt.Errorf("notify: writing a webhook: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, webhookTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.URL, bytes.NewReader(body))
	if err != nil {
		return errors.New("notify: the webhook's address cannot be read") // the cause may hold the address, which may be a secret
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", m.ID)
	if len(w.Secret) > 0 {
		now := w.Now()
		req.Header.Set("webhook-id", m.ID)
		req.Header.Set("webhook-timestamp", strconv.FormatInt(now.Unix(), 10))
		req.Header.Set("webhook-signature", Sign(w.Secret, m.ID, now, body))
	}
	resp, err := w.Client.Do(req)
	if err != nil {
		return fmt.Errorf("notify: a webhook: %w", withoutAddress(err))
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)) // only the status counts
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("notify: a webhook answered %d", resp.StatusCode)
	}
	return nil
}

// withoutAddress is the cause below the layer that quotes the address.
func withoutAddress(err error) error {
	if inner := errors.Unwrap(err); inner != nil {
		return inner
	}
	return err
}
