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
	Redirect                   string
}

// Hash is the size of the signature's digest, in bits.
func (x snippet) Hash() int {
	if x.Alg == "ES256" {
		return 256
	}
	return 384
}

// Size is that of each of the two numbers of an ECDSA signature, in bytes.
func (x snippet) Size() int { return x.Hash() / 8 }

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
	raw, err := files.ReadFile("screens/snippets/" + name + ".txt")
	if err != nil {
		return "" // it is embedded: a test reads each
	}
	t, err := template.New(name).Funcs(template.FuncMap{"sh": shellWord, "js": snippetQuoted}).Parse(string(raw))
	var out strings.Builder
	if err == nil {
		err = t.Execute(&out, x)
	}
	if err != nil {
		return ""
	}
	return strings.TrimSpace(out.String()) + "\n"
}

func (x snippet) agent() []firmSnippet {
	return []firmSnippet{{Key: "agent", Title: "The agent", Text: x.text("agent"),
		Needs: "The simplest: it enrols the machine, renews its certificate, gets tokens, opens sealed answers, and gives your tools a local address without certificate and token. The first command asks for the code of an invitation."}}
}

func (x snippet) forPrograms() []firmSnippet {
	files := "Put it beside the files named above."
	return append(x.agent(),
		firmSnippet{Key: "curl", Title: "curl", File: "ask.sh", Text: x.text("curl"), Needs: "bash, curl and openssl. " + files},
		firmSnippet{Key: "python", Title: "Python", File: "ask.py", Text: x.text("python"), Needs: "The standard library and openssl. " + files},
		firmSnippet{Key: "javascript", Title: "JavaScript", File: "ask.mjs", Text: x.text("javascript"), Needs: "Node.js, nothing else. " + files},
		firmSnippet{Key: "r", Title: "R", File: "ask.R", Text: x.text("r"), Needs: "httr2, jose and openssl. " + files, NotRun: true})
}

func (x snippet) forPeople() []firmSnippet {
	return append(x.agent(), firmSnippet{Key: "launch", Title: "Python, for a person", File: "ask.py", Text: x.text("launch"),
		Needs: fmt.Sprintf("The standard library. You sign in at %s and allow it; what it may do ends with your session.", x.People)})
}
