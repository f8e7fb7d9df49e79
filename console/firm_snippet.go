package console

import (
	"encoding/json"
	"fmt"
	"strings"
	"text/template"
)

// snippet fills the texts of screens/snippets with what is one program's own.
type snippet struct {
	Gateway, Base, Ask, People string
	App, Grant, Device         string
	KeyID, Alg, Scope          string
	Redirect, Region           string
	DPoP                       bool // each request is signed, by a key that the text makes (RFC 9449)
	Sealed                     bool // answers are sealed, and the age tool opens them
}

// Hash is the size of the signature's digest, in bits.
func (x snippet) Hash() int {
	if x.Alg == "ES256" {
		return 256
	}
	return 384
}

// Size is that of each of the two numbers of an ECDSA signature, in bytes; 0: it is RSA's.
func (x snippet) Size() int {
	if x.Alg == "RS384" {
		return 0
	}
	return x.Hash() / 8
}

// Scheme is that of the token in the header Authorization.
func (x snippet) Scheme() string {
	if x.DPoP {
		return "DPoP"
	}
	return "Bearer"
}

// Hex is the same in hexadecimal digits.
func (x snippet) Hex() int { return x.Hash() / 4 }

// shellWord is a text as one word of a shell.
func shellWord(s string) string {
	if s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:/._-") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// snippetQuoted is a text as Python, JavaScript and R write it.
func snippetQuoted(s string) (string, error) {
	raw, err := json.Marshal(s)
	return string(raw), err
}

func (x snippet) text(name string) string {
	name += ".txt"
	t, err := template.New(name).Funcs(template.FuncMap{"sh": shellWord, "js": snippetQuoted}).ParseFS(files, "screens/snippets/parts.txt", "screens/snippets/"+name)
	var out strings.Builder
	if err == nil {
		err = t.Execute(&out, x)
	}
	if err != nil {
		return "" // they are embedded: a test runs each
	}
	return strings.TrimSpace(out.String()) + "\n"
}

func (x snippet) agent() []firmSnippet {
	return []firmSnippet{{Key: "agent", Title: "The agent", Text: x.text("agent"),
		Needs: "The simplest: it enrols the machine, renews its certificate, gets tokens, opens sealed answers, and gives your tools a local address without certificate and token. The first command asks for the code of an invitation."}}
}

// noCurl is why a program that signs its requests has no text for curl: a shell script that
// makes proofs would be longer than what it shows.
const noCurl = "There is no text for curl: it cannot make the proof (DPoP) that each request of this program needs. For a shell, have the agent enrol a program of its own; sallyport agent connect then gives curl a local address."

// beside is what a text needs beside its language.
func (x snippet) beside() string {
	out := "Put it beside the files named above."
	if x.DPoP {
		out += " This program has to sign each request, too (DPoP): the text makes the key for that itself."
	}
	if x.Sealed {
		out += " The age tool, 1.3 or later, opens what is sealed to this machine."
	}
	return out
}

// forPrograms are the texts for a program with a key of its own.
func (x snippet) forPrograms() (out []firmSnippet) {
	files := x.beside()
	if !x.DPoP {
		out = append(x.agent(), firmSnippet{Key: "curl", Title: "curl", File: "ask.sh", Text: x.text("curl"), Needs: "bash, curl and openssl. " + files})
	}
	return append(out,
		firmSnippet{Key: "python", Title: "Python", File: "ask.py", Text: x.text("python"), Needs: "The standard library and openssl. " + files},
		firmSnippet{Key: "javascript", Title: "JavaScript", File: "ask.mjs", Text: x.text("javascript"), Needs: "Node.js, nothing else. " + files},
		firmSnippet{Key: "r", Title: "R", File: "ask.R", Text: x.text("r"), Needs: "The packages httr2, jsonlite and openssl. " + files})
}

// forPeople are the texts for a person's notebook, which the person allows in a browser.
func (x snippet) forPeople() (out []firmSnippet) {
	with := "The standard library."
	if x.DPoP {
		with = "The standard library and openssl."
	} else {
		out = x.agent()
	}
	return append(out, firmSnippet{Key: "launch", Title: "Python, for a person", File: "ask.py", Text: x.text("launch"),
		Needs: fmt.Sprintf("%s %s You sign in at %s and allow it; what it may do ends with your session.", with, x.beside(), x.People)})
}
