package main

import (
	"context"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"net/http"
	"os"

	"github.com/sallyport/sallyport/agent/wire"
	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
)

// onceTold is something secret that the command made, of which the server got the
// digest: it is told once, when the act is done.
type onceTold interface{ tell() }

// inviteKind is the act for which the command makes the code of an invitation.
const inviteKind registry.Kind = "device.invite"

// invitation is what is printed once the act is done.
type invitation struct {
	server string
	word   wire.Invite
}

// newInvitation makes a code, unless a digest was given, and notes its digest in
// the act.
func (c connection) newInvitation(ctx context.Context, fields map[string]any) (onceTold, error) {
	if fields["code_sha256"] != nil {
		return nil, nil // the code is somebody else's
	}
	device, _ := fields["id"].(string)
	var e api.Enrolment
	if err := c.call(ctx, http.MethodGet, "/v1/enrolment", nil, &e); err != nil {
		return nil, err
	}
	block, _ := pem.Decode([]byte(e.Authority))
	if block == nil {
		return nil, problem.New(problem.UpstreamFail, "The server names no authority", "Use a program of the server's version")
	}
	i := &invitation{server: e.Gateway, word: wire.Invite{Device: device, Code: rand.Text(), Pin: wire.PinOf(block.Bytes)}}
	if _, err := wire.ParseInvite(i.word.String()); err != nil {
		return nil, problem.BadField("id", "is missing, or is no id", "Name the device first: sallyport device invite DEVICE vendor=... owner=...")
	}
	fields["code_sha256"] = wire.CodeDigest(i.word.Code)
	return i, nil
}

// tell prints the invitation: the word alone on standard output, for a script, and
// beside it what to do with it.
func (i *invitation) tell() {
	fmt.Println(i.word)
	fmt.Fprintf(os.Stderr, `
Hand this word over in person or by telephone: who has it can enrol one machine. On that machine:

  sallyport agent enroll --server %s --region REGION    (it asks for the word on standard input)
`, i.server)
}
