package notify

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

var at = time.Unix(1614265330, 0)

// TestSign is the published example of Standard Webhooks.
func TestSign(t *testing.T) {
	secret, err := ParseSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err != nil {
		t.Fatal(err)
	}
	got := Sign(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", at, []byte(`{"test": 2432232314}`))
	if want := "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for _, bad := range []string{"", "whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_c2hvcnQ=", "whsec_!!"} {
		if _, err := ParseSecret(bad); err == nil {
			t.Errorf("%q was taken for a secret", bad)
		}
	}
}

func message(n int) Message {
	m := Message{ID: "abc", Organisation: "Mercy\r\nBcc: x", At: at}
	for range n {
		m.Items = append(m.Items, Item{Key: "k", Title: "Data stops:\r\nBcc: evil@example.org", Text: "text", Urgent: true})
	}
	return m
}

func TestWebhooks(t *testing.T) {
	var got *http.Request
	var body []byte
	status := http.StatusNoContent
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
		w.WriteHeader(status)
	}))
	defer srv.Close()
	secret := []byte(strings.Repeat("s", 32))
	hook := &Webhook{URL: srv.URL + "/secret-path", Secret: secret, Client: srv.Client(), Now: func() time.Time { return at }}
	if err := hook.Send(t.Context(), "", message(2)); err != nil {
		t.Fatal(err)
	}
	if got.Header.Get("webhook-id") != "abc" || got.Header.Get("Idempotency-Key") != "abc" || got.Header.Get("webhook-signature") != Sign(secret, "abc", at, body) {
		t.Errorf("the headers are %v", got.Header)
	}
	hook.Chat, hook.Secret = true, nil
	if err := hook.Send(t.Context(), "", message(1)); err != nil {
		t.Fatal(err)
	}
	var chat map[string]string
	if err := json.Unmarshal(body, &chat); err != nil || len(chat) != 1 || !strings.Contains(chat["text"], "Data stops") || got.Header.Get("webhook-signature") != "" {
		t.Errorf("the chat got %s with %v", body, got.Header)
	}
	status = http.StatusInternalServerError
	if err := hook.Send(t.Context(), "", message(1)); err == nil {
		t.Error("a webhook that answers 500 counts as sent")
	}
	srv.Close()
	if err := hook.Send(t.Context(), "", message(1)); err == nil || strings.Contains(err.Error(), "secret-path") {
		t.Errorf("got %v: nobody listens, and the address is a secret", err)
	}
	if err := hook.Send(context.Background(), "", Message{}); err == nil {
		t.Error("an empty message was sent")
	}
}

// TestAMailCannotBeGivenHeaders by what is in it, and a long one is cut short.
func TestAMailCannotBeGivenHeaders(t *testing.T) {
	if got := message(1).Subject(); strings.ContainsAny(got, "\r\n") {
		t.Errorf("the subject has several lines: %q", got)
	}
	if got := message(3).Subject(); got != "[Sallyport] 3 notices, 3 urgent" {
		t.Errorf("got %q", got)
	}
	if got := message(maxItems + 5).Text(); !strings.Contains(got, "And 5 more") || strings.Contains(got, "\r\nBcc") {
		t.Errorf("the text is %.300q", got)
	}
	if _, err := NewMail(MailConfig{Server: "nowhere", From: "a@example.org"}); err == nil {
		t.Error("a server without a port was taken")
	}
}
