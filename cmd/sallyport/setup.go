package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/server"
)

type initCmd struct {
	Dir          string    `arg:"" optional:"" default:"sallyport" help:"The folder to make." type:"path"`
	Organisation string    `help:"The covered entity's name." default:"Our Hospital"`
	Node         string    `help:"This process's name; it is in every log entry." default:"gateway-1"`
	Person       id.Person `help:"Your id: the first of the organisation's people." default:"operator"`
	Name         string    `help:"Your name." default:"First Operator"`
	Source       id.Source `help:"The id of your FHIR server." default:"ehr"`
	URL          string    `help:"Your FHIR server's base URL." default:"https://fhir.example.org/r4"`
	Host         string    `help:"The name by which vendors reach this server." default:"localhost"`
	Port         int       `help:"The gateway's port; the API, health and the pages for people take the next three." default:"8443"`
	Database     string    `help:"A PostgreSQL URL instead of SQLite." placeholder:"URL"`
	RootKey      string    `name:"root-key" help:"What protects the keys: file, passphrase, or the URL of a key service (docs/keys.md)." placeholder:"ROOT"`
	Passphrase   string    `name:"passphrase-file" help:"A file with a passphrase that protects the root key; without it a key file does." placeholder:"FILE" type:"path"`
}

// Run makes the installation and says what comes next.
func (c *initCmd) Run(ctx context.Context, now clock) error {
	pages := c.Port + 3
	if net.ParseIP(c.Host) != nil {
		pages = 0 // browsers make no passkeys for addresses
	}
	file, err := server.Init(ctx, server.Setup{Dir: c.Dir, Organisation: c.Organisation, Node: c.Node, Person: c.Person, PersonName: c.Name,
		SourceID: c.Source, SourceURL: c.URL, Host: c.Host, GatewayPort: c.Port, APIPort: c.Port + 1, HealthPort: c.Port + 2, PeoplePort: pages,
		Database: c.Database, RootKey: c.RootKey, PassphraseFile: c.Passphrase, Now: now})
	if err != nil {
		return err
	}
	people := filepath.Join(filepath.Dir(file), "data", "people")
	fmt.Printf(`Made %s
  configuration   %s   (commented; read it)
  you             %s   (your certificate and key)
  log's key       %s   (public; give it to your auditors)
  release keys    %s   (public; give them to your vendors, who check sealed releases with them)

Next:
  sallyport serve --config %s
  export SALLYPORT_SERVER=https://127.0.0.1:%d SALLYPORT_CERT=%s
  sallyport whoami
  a passkey         serve prints a code; use it on https://%s:%d/enroll   (optional: your certificate is enough)
  in the browser    https://%s:%d/console/start leads on, step by step, to the first release (docs/console-first-release.md)
  by commands       enrol a second person, because nobody approves their own request: see docs/first-hour.md
`, filepath.Dir(file), file, filepath.Join(people, string(c.Person)+".crt"), filepath.Join(filepath.Dir(file), "data", "log.pub"),
		filepath.Join(filepath.Dir(file), "data", "release-keys.json"),
		file, c.Port+1, filepath.Join(people, string(c.Person)+".crt"), c.Host, c.Port+3, c.Host, c.Port+3)
	return nil
}

type serveCmd struct {
	Config string `short:"c" help:"The configuration file." default:"sallyport.yaml" type:"path"`
	Log    string `help:"Log format." enum:"text,json" default:"text"`
	Debug  bool   `help:"Log more. Never patient data."`
}

// Run serves until the process is told to stop.
func (c *serveCmd) Run(ctx context.Context, now clock) error {
	config, err := server.Load(c.Config)
	if err != nil {
		return err
	}
	level := slog.LevelInfo
	if c.Debug {
		level = slog.LevelDebug
	}
	var handler slog.Handler = slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level})
	if c.Log == "json" {
		handler = slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: level})
	}
	// While the disk takes a commit of the audit log, its thread keeps one of the
	// scheduler's places until that notices: with a place for each processor alone,
	// a processor would stand still thousands of times a second.
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 1)
	}
	// The buffers of a long stream are megabytes each, and soon garbage: a little
	// more collecting keeps the process under a hundred. What it costs small answers
	// could not be told from noise.
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(75)
	}
	s, err := server.Open(ctx, config, server.Options{Now: now, Logger: slog.New(handler), Version: version})
	if err != nil {
		return err
	}
	switch person, code, err := s.FirstRun(); {
	case err != nil:
		return errors.Join(err, s.Close())
	case code != "":
		// On the terminal, never in the log.
		fmt.Printf("The first passkey of %s: open %s/enroll and use this code, once, within an hour:\n\n    %s\n\nThen sign in, and follow %s/console/start.\n\n", person, config.PeopleURL, code, config.PeopleURL)
	}
	return s.Run(ctx)
}

type certificateCmd struct {
	Person certPersonCmd `cmd:"" help:"A key and a certificate for one of the organisation's people."`
	Device certDeviceCmd `cmd:"" help:"A certificate for a vendor's device, from its signing request."`
}

type certPersonCmd struct {
	ID     id.Person `arg:"" help:"The person's id."`
	Config string    `short:"c" help:"The configuration file." default:"sallyport.yaml" type:"path"`
}

// Run writes the files and prints the key's digest, which an act registers.
func (c *certPersonCmd) Run(now clock) error {
	config, err := server.Load(c.Config)
	if err != nil {
		return err
	}
	cred, err := server.IssuePerson(config, c.ID, now())
	if err != nil {
		return err
	}
	// On standard output only the field of the act to come, for $( ).
	fmt.Fprintf(os.Stderr, "Wrote %s.crt and .key, to hand over in person.\nIt opens nothing until the key is registered: sallyport person propose %s key_sha256=... (or person register-key)\n",
		config.Data("people", string(c.ID)), c.ID)
	fmt.Printf("key_sha256=%s\n", cred.KeyDigest())
	return nil
}

type certDeviceCmd struct {
	ID      id.Device `arg:"" help:"The device's id."`
	Request string    `help:"Its certificate signing request (PEM); the key never leaves the device." required:"" placeholder:"FILE" type:"path"`
	Out     string    `short:"o" help:"Where to write the certificate." required:"" placeholder:"FILE" type:"path"`
	Days    int       `help:"How long it lasts (policy)." default:"30"`
	Config  string    `short:"c" help:"The configuration file." default:"sallyport.yaml" type:"path"`
}

// Run signs the request.
func (c *certDeviceCmd) Run(now clock) error {
	config, err := server.Load(c.Config)
	if err != nil {
		return err
	}
	csr, err := os.ReadFile(c.Request)
	if err != nil {
		return problem.BadField("request", c.Request+" cannot be read", "The vendor makes one: sallyport keys DIR, or openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout device.key -subj /CN=device -out device.csr").Because(err)
	}
	pem, digest, err := server.SignDevice(config, c.ID, csr, time.Duration(c.Days)*24*time.Hour, now())
	if err != nil {
		return err
	}
	if err := os.WriteFile(c.Out, pem, 0o644); err != nil {
		return unwritable("out", c.Out, err)
	}
	fmt.Fprintf(os.Stderr, "Wrote %s.\nGive it back to the vendor with %s, to keep as device.crt and ca.crt beside their keys.\nIt opens nothing until the device is enrolled and approved: sallyport device enroll %s key_sha256=... (and device approve)\n", c.Out, config.Data("people", "ca.crt"), c.ID)
	fmt.Printf("key_sha256=%s\n", digest)
	return nil
}

func printKinds(asJSON bool) error {
	if asJSON {
		type kind struct {
			Kind    registry.Kind   `json:"kind"`
			Summary string          `json:"summary"`
			Path    string          `json:"path"`
			Duties  []registry.Duty `json:"duties"`
		}
		var kinds []kind
		for _, s := range registry.Acts {
			kinds = append(kinds, kind{s.Name, s.Summary, s.Path, s.Duties})
		}
		return printJSON(kinds)
	}
	for _, spec := range registry.Acts {
		fmt.Printf("%-28s %s\n", spec.Noun+" "+spec.Verb, spec.Summary)
	}
	return nil
}
