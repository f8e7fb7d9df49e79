// Package notify carries notices out of the house: by mail, by signed webhooks, and to
// chats that take what Slack takes.
//
// What it carries is made elsewhere from ids, dates and the product's own words; it
// holds no patient data, and cannot: no type here comes from where any is. A message
// has one id for good. Every way carries it (Message-ID, webhook-id), because a
// sender that dies between the far end's yes and its own note sends again: the far end
// can tell, and a person who reads the same mail twice can, too.
package notify

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Item is one thing to tell.
type Item struct {
	Key       string    `json:"key"` // its reason, the same for good
	Class     string    `json:"class"`
	Step      string    `json:"step"`
	Urgent    bool      `json:"urgent,omitempty"`
	At        time.Time `json:"at"`
	Noun      string    `json:"noun"`
	ID        string    `json:"id"`
	Vendor    string    `json:"vendor,omitempty"`
	Title     string    `json:"title"`
	Text      string    `json:"text"`
	ForVendor bool      `json:"for_vendor,omitempty"`
}

// Message is what is sent at once to one addressee.
type Message struct {
	ID           string // the same at every attempt; letters and digits
	Organisation string
	Items        []Item
	At           time.Time
}

// Sender sends by one way. An error means that the message may have arrived or not: it
// is sent again, under the same id.
type Sender interface {
	Send(ctx context.Context, to string, m Message) error
}

// maxItems is how many items a message shows in full; a message of more says how many
// there are.
const maxItems = 200

var errEmpty = errors.New("notify: a message needs an id and an item")

func (m Message) check() error {
	if m.ID == "" || len(m.Items) == 0 {
		return errEmpty
	}
	return nil
}

// Subject is the message in a line.
func (m Message) Subject() string {
	if len(m.Items) == 1 {
		return "[Sallyport] " + oneLine(m.Items[0].Title)
	}
	urgent := 0
	for _, i := range m.Items {
		if i.Urgent {
			urgent++
		}
	}
	if urgent > 0 {
		return fmt.Sprintf("[Sallyport] %d notices, %d urgent", len(m.Items), urgent)
	}
	return fmt.Sprintf("[Sallyport] %d notices", len(m.Items))
}

// Text is the message in plain text.
func (m Message) Text() string {
	var b strings.Builder
	for n, i := range m.Items {
		if n == maxItems {
			fmt.Fprintf(&b, "And %d more: sallyport forecast, sallyport acts --done.\n\n", len(m.Items)-n)
			break
		}
		fmt.Fprintf(&b, "%s\n%s\n\n", oneLine(i.Title), i.Text)
	}
	fmt.Fprintf(&b, "-- \nSallyport of %s. It holds ids, dates and rules, and never patient data: do not answer with any.\n", oneLine(m.Organisation))
	return b.String()
}

func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
}
