package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/sallyport/sallyport/agent"
	"github.com/sallyport/sallyport/agent/keystore"
	"github.com/sallyport/sallyport/agent/posture"
	"github.com/sallyport/sallyport/agent/wire"
	"github.com/sallyport/sallyport/identity"
	"github.com/sallyport/sallyport/problem"
)

// agentCmd is the vendor's side, on the machine of an engineer or a program.
type agentCmd struct {
	Enroll  agentEnrollCmd  `cmd:"" help:"Enrol this machine with an invitation: make its keys, and get its certificate."`
	Connect agentConnectCmd `cmd:"" help:"Give local programs an endpoint: http://127.0.0.1:PORT/fhir."`
	Status  agentStatusCmd  `cmd:"" help:"Why you do, or do not, get in: what is missing, and who can mend it."`
	Whoami  agentWhoamiCmd  `cmd:"" help:"Which machine, person and program you are to the server, and your grants."`
	Posture agentPostureCmd `cmd:"" help:"This machine's state, as it would be reported, and how it was read."`
	Report  agentReportCmd  `cmd:"" help:"Report this machine's state now."`
}

// agentFolder is where a machine's enrolment is.
type agentFolder struct {
	Dir        string `help:"The folder of the enrolment." env:"SALLYPORT_AGENT" placeholder:"DIR" type:"path"`
	Passphrase string `name:"passphrase-file" help:"A file whose first line protects keys in files." env:"SALLYPORT_AGENT_PASSPHRASE_FILE" placeholder:"FILE" type:"path"`
	TPM        string `name:"tpm" help:"The TPM's device or socket; the system's without it." env:"SALLYPORT_TPM" placeholder:"PATH"`

	now clock
}

// AfterApply takes the command's clock.
func (f *agentFolder) AfterApply(now clock) error {
	f.now = now
	return nil
}

func (f agentFolder) options() (agent.Options, error) {
	o := agent.Options{Dir: f.Dir, TPM: f.TPM, Now: f.now, Say: func(line string) { fmt.Fprintln(os.Stderr, line) }}
	if o.Dir == "" {
		config, err := os.UserConfigDir()
		if err != nil {
			return o, problem.BadField("dir", "is not named, and you have no folder for settings", "Give --dir FOLDER").Because(err)
		}
		o.Dir = filepath.Join(config, "sallyport-agent")
	}
	if f.Passphrase != "" {
		raw, err := os.ReadFile(f.Passphrase)
		if err != nil {
			return o, problem.BadField("passphrase-file", "cannot be read", "Name a file that only you can read").Because(err)
		}
		line, _, _ := strings.Cut(string(raw), "\n")
		if line = strings.TrimRight(line, "\r"); len(line) < 12 {
			return o, problem.BadField("passphrase-file", "its first line is shorter than 12 characters", "Write a longer passphrase")
		}
		o.Passphrase = []byte(line)
	}
	return o, nil
}

// opened is the machine, ready to ask; a machine that waits for approval says so.
func (f agentFolder) opened() (*agent.Agent, error) {
	o, err := f.options()
	if err != nil {
		return nil, err
	}
	return agent.Open(o)
}

type agentEnrollCmd struct {
	Server   string        `help:"The gateway's address, as who invited you said it." required:"" placeholder:"URL"`
	Invite   string        `help:"The invitation; without it, or as -, it is read from standard input." default:"-" placeholder:"WORD"`
	Region   string        `help:"Where this machine is, such as US or US-MA." required:"" placeholder:"REGION"`
	KeyStore string        `name:"key-store" help:"tpm or file; without it the TPM where there is one." placeholder:"KIND"`
	Wait     time.Duration `help:"How long to wait for approval." default:"0s"`
	agentFolder
}

// Run enrols. The invitation is a secret: it may come by standard input, so that it
// stands in no shell history.
func (c *agentEnrollCmd) Run(ctx context.Context) error {
	o, err := c.options()
	if err != nil {
		return err
	}
	if c.Invite == "-" {
		line := make([]byte, 512)
		n, _ := os.Stdin.Read(line)
		c.Invite = string(line[:n])
	}
	a, e, err := agent.Enrol(ctx, agent.EnrolOptions{Options: o, Server: c.Server, Invite: strings.TrimSpace(c.Invite), Region: c.Region,
		KeyStore: keystore.Kind(c.KeyStore), Wait: c.Wait})
	if err != nil {
		return err
	}
	fmt.Printf("%s of %s, enrolled in %s\n", e.Device, e.Vendor, o.Dir)
	fmt.Printf("  keys: %s\n", keyStoreWords(a.KeyStore()))
	if e.App != "" {
		fmt.Printf("  program: %s, %s\n", e.App, e.AppState)
	}
	if a.Ready() {
		fmt.Printf("  certificate until %s; the agent renews it\nNext: sallyport agent connect\n", a.CertificateEnds().UTC().Format(time.RFC3339))
	} else {
		fmt.Printf("  %s\nNext: sallyport agent status\n", e.Next)
	}
	return a.Close()
}

func keyStoreWords(k keystore.Kind) string {
	if k == keystore.TPM {
		return "in the TPM (the server has this machine's word for it; it is not attested)"
	}
	return "in encrypted files, which can be copied by who has them and what opens them"
}

type agentConnectCmd struct {
	Port   int    `help:"The local port; 0 is any." default:"8090"`
	Source string `help:"The source that /fhir stands for; without it the one that your grants name." placeholder:"ID"`
	Grant  string `help:"The grant, where the program has several." placeholder:"ID"`
	Scope  string `help:"SMART scopes, to ask for less than the grant gives." placeholder:"SCOPES"`
	App    string `help:"Another program than the one that was enrolled with this machine." placeholder:"ID"`
	AppKey string `name:"app-key" help:"That program's private key, in PEM." placeholder:"FILE" type:"path"`
	Secret bool   `help:"Require a secret of every local client, which is printed once."`
	agentFolder
}

// Run serves until it is stopped.
func (c *agentConnectCmd) Run(ctx context.Context) error {
	o, err := c.options()
	if err != nil {
		return err
	}
	o.Grant, o.Scope, o.App = c.Grant, c.Scope, c.App
	if (c.App == "") != (c.AppKey == "") {
		return problem.BadField("app-key", "goes with --app, and --app with it", "Name both, or none")
	}
	if c.AppKey != "" {
		if o.AppKey, err = identity.ReadKey(c.AppKey); err != nil {
			return err
		}
	}
	a, err := agent.Open(o)
	if err != nil {
		return err
	}
	defer func() { _ = a.Close() }() // the keys' store: nothing is lost by it
	if !a.Ready() {
		o.Say("Waiting for approval. " + "Stop with Ctrl-C; the enrolment stays.")
		if _, err := a.Await(ctx); err != nil {
			return err
		}
	}
	l, err := a.Listen(ctx, agent.ConnectOptions{Port: c.Port, Source: c.Source, Secret: c.Secret})
	if err != nil {
		return err
	}
	fmt.Printf("%s, program %s, to %s\n", a.Device(), a.App(), a.Server())
	if s := l.Source(); s != "" {
		fmt.Printf("  FHIR      %s/fhir      (source %s)\n", l.Base(), s)
	} else {
		fmt.Printf("  FHIR      %s/fhir/SOURCE\n", l.Base())
	}
	fmt.Printf("  /llm, /datasets: not offered by this server yet\n")
	if s := l.Secret(); s != "" {
		fmt.Printf("  secret    %s      (clients send it as a bearer token or API key)\n", s)
	}
	for _, g := range l.Grants() {
		if !g.Open {
			fmt.Printf("  grant %s is not open: sallyport agent status\n", g.Grant)
		}
	}
	return l.Serve(ctx)
}

type agentStatusCmd struct {
	JSON bool `name:"json" help:"Print JSON."`
	agentFolder
}

// Run tells what stands in the way. It exits with 1 where nothing is open, so that
// scripts can wait for it.
func (c *agentStatusCmd) Run(ctx context.Context) error {
	a, err := c.opened()
	if err != nil {
		return err
	}
	defer func() { _ = a.Close() }()
	if err := certified(ctx, a); err != nil {
		return err
	}
	s, err := a.Standing(ctx)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(s)
	}
	tellStanding(s, a)
	return standingError(s)
}

// certified fetches the machine's certificate, where it was approved since it last asked.
func certified(ctx context.Context, a *agent.Agent) error {
	if a.Ready() {
		return nil
	}
	short, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	e, err := a.Await(short)
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if !a.Ready() {
		return problem.New(problem.Refused, fmt.Sprintf("%s is %s: it has no certificate yet", a.Device(), orUnknown(e.State)), e.Next)
	}
	return nil
}

func orUnknown(s string) string {
	if s == "" {
		return "not known to be approved"
	}
	return s
}

func tellStanding(s wire.Stand, a *agent.Agent) {
	fmt.Printf("%s of %s is %s", s.Device, s.Vendor, s.State)
	if !s.TrustedUntil.IsZero() {
		fmt.Printf(", trusted until %s", s.TrustedUntil.Format(time.DateOnly))
	}
	fmt.Printf("\n  certificate until %s\n  keys: %s\n", s.CertificateEnds.Format(time.RFC3339), keyStoreWords(a.KeyStore()))
	switch {
	case s.ReportedAt.IsZero():
		fmt.Println("  state: never reported (self-reported, not attested)")
	default:
		fmt.Printf("  state: reported %s by %s, counts until %s (self-reported, not attested)\n",
			s.ReportedAt.Format(time.RFC3339), s.Source, s.FreshUntil.Format(time.RFC3339))
	}
	if len(s.Grants) == 0 {
		fmt.Printf("  no grant names this machine. Ask the organisation: sallyport grant request ... devices=%s app=%s\n", s.Device, a.App())
	}
	for _, g := range s.Grants {
		state := "open"
		if !g.Open {
			state = "not open"
		}
		fmt.Printf("grant %s (%s, source %s): %s\n", g.Grant, g.Engagement, g.Source, state)
		for _, line := range agent.Mend(s, g) {
			fmt.Println("  " + line)
		}
	}
}

func standingError(s wire.Stand) error {
	for _, g := range s.Grants {
		if g.Open {
			return nil
		}
	}
	return errTold
}

// errTold is a no that was told already; it sets the exit code.
var errTold = errors.New("no grant is open")

type agentWhoamiCmd struct{ agentFolder }

// Run tells who the server takes this machine for.
func (c *agentWhoamiCmd) Run(ctx context.Context) error {
	a, err := c.opened()
	if err != nil {
		return err
	}
	defer func() { _ = a.Close() }()
	if err := certified(ctx, a); err != nil {
		return err
	}
	s, err := a.Standing(ctx)
	if err != nil {
		return err
	}
	out := map[string]any{"device": s.Device, "vendor": s.Vendor, "person": s.Owner, "app": a.App(), "server": a.Server(),
		"key_store": string(a.KeyStore()), "attested": false, "certificate_ends": s.CertificateEnds}
	var grants []string
	for _, g := range s.Grants {
		grants = append(grants, g.Grant)
	}
	out["grants"] = grants
	return printJSON(out)
}

type agentPostureCmd struct {
	JSON bool `name:"json" help:"Print JSON."`
	agentFolder
}

// Run shows what was found, here. Nothing is sent.
func (c *agentPostureCmd) Run(ctx context.Context) error {
	kind := keystore.Kind("")
	found := func() *posture.Found { return posture.Collect(ctx, runtime.GOOS, posture.Host{}) }
	if a, err := c.opened(); err == nil {
		kind = a.KeyStore()
		f := a.Look(ctx)
		found = func() *posture.Found { return f }
		defer func() { _ = a.Close() }()
	}
	f := found()
	r := f.Report("", kind == keystore.TPM, c.now())
	if c.JSON {
		return printJSON(r)
	}
	fmt.Printf("Read by %s. It is this machine's own word, and not attested; what cannot be read does not pass.\n", f.Source)
	show := func(name, state string, check posture.Check) {
		fmt.Printf("  %-20s %-10s %s\n", name, state, f.How[check])
	}
	show("os", strings.TrimSpace(r.OS+" "+r.OSVersion), posture.OS)
	show("disk_encryption", r.DiskEncryption, posture.DiskEncryption)
	show("screen_lock", r.ScreenLock, posture.ScreenLock)
	show("firewall", r.Firewall, posture.Firewall)
	show("malware_protection", r.MalwareProtection, posture.MalwareProtection)
	age := "unknown"
	if r.UpdateAge >= 0 {
		age = fmt.Sprintf("%d days", r.UpdateAge)
	}
	show("update_age_days", age, posture.UpdateAge)
	show("hardware_key", r.HardwareKey, posture.HardwareKey)
	return nil
}

type agentReportCmd struct{ agentFolder }

// Run reports once.
func (c *agentReportCmd) Run(ctx context.Context) error {
	a, err := c.opened()
	if err != nil {
		return err
	}
	defer func() { _ = a.Close() }()
	if err := certified(ctx, a); err != nil {
		return err
	}
	r, err := a.Report(ctx, a.Look(ctx))
	if err != nil {
		return err
	}
	raw, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	fmt.Printf("Reported (self-reported, not attested): %s\n", raw)
	return nil
}
