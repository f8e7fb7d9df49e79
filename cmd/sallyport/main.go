// Command sallyport is the controlled doorway between a healthcare
// organisation's patient data and its outside AI teams.
//
// One file for each command. Commands that change the registry act through the
// API, never beside it: what they can do, any client can, under the same rules.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"github.com/sallyport/sallyport/problem"
)

// version is set by the linker in releases.
var version = "dev"

type cli struct {
	Demo        demoCmd        `cmd:"" group:"start" help:"See it: a synthetic hospital with seven months behind it, and its console; or the two doors in ten steps."`
	Init        initCmd        `cmd:"" group:"start" help:"Make a new installation: configuration, keys, the first person."`
	Serve       serveCmd       `cmd:"" group:"start" help:"Run the gateway and the API."`
	Hospital    hospitalCmd    `cmd:"" group:"start" help:"Serve a synthetic hospital (FHIR R4), to try Sallyport without a server of your own."`
	Certificate certificateCmd `cmd:"" group:"start" help:"Issue a client certificate to a person or a device, on the server's machine."`

	Keys   keysCmd   `cmd:"" group:"vendor" help:"Make the keys of a device and a program, and what to send to the organisation."`
	Ask    askCmd    `cmd:"" group:"vendor" help:"Ask the gateway for something, as a program of the vendor."`
	Unseal unsealCmd `cmd:"" group:"vendor" help:"Open a sealed release, or make the key for it. Offline."`

	Agent agentCmd `cmd:"" group:"vendor" help:"enroll, connect, status, whoami, posture, report: the vendor's side, on its own machine."`

	Apply      applyCmd      `cmd:"" group:"work" help:"Bring the registry to what a file says. Applying twice changes nothing."`
	Export     exportCmd     `cmd:"" group:"work" help:"Everything that is recorded, as CSV or JSON: you are never locked in."`
	Import     importCmd     `cmd:"" group:"work" help:"Records from CSV or JSON, all of a file or none."`
	Explain    explainCmd    `cmd:"" group:"work" help:"Why a request was, or would be, permitted or refused."`
	Forecast   forecastCmd   `cmd:"" group:"work" help:"What stops in the next days if nobody acts, and whose turn it is."`
	Acts       actsCmd       `cmd:"" group:"work" help:"Every act there is, or (--done) every act that was done."`
	Terms      termsCmd      `cmd:"" group:"work" help:"The terms that an agreement can have, with citations."`
	Login      loginCmd      `cmd:"" group:"work" help:"Sign in with your passkey, in a browser, instead of a certificate."`
	Logout     logoutCmd     `cmd:"" group:"work" help:"Sign out: end the session of this command line."`
	StepUp     stepUpCmd     `cmd:"" group:"work" help:"Touch your passkey, so that you can decide something in the next minutes."`
	Whoami     whoamiCmd     `cmd:"" group:"work" help:"Who you are to the server."`
	Checkpoint checkpointCmd `cmd:"" group:"record" help:"The audit log's newest signed checkpoint; keep it elsewhere."`
	Proof      proofCmd      `cmd:"" group:"record" help:"A proof that one entry is in the log, to check offline."`
	Verify     verifyCmd     `cmd:"" group:"record" help:"Check a log, its continuation, a proof or a badge offline, from public keys alone."`

	Disclosure disclosureCmd `cmd:"" group:"record" help:"radius, list, export, usage, inventory, attempts: who was given what, from the log."`

	Patient patientCmd `cmd:"" group:"acts" help:"hold, release: patients who said no."`
	Cohort  cohortCmd  `cmd:"" group:"acts" help:"define: a list of patients that a grant can name."`

	Deid deidCmd `cmd:"" group:"deid" help:"De-identify files: FHIR, tables, DICOM, HL7 v2, C-CDA, X12, NCPDP, notes."`
	Scan scanCmd `cmd:"" group:"deid" help:"Find patient data where it should not be: code, notebooks, logs, tables, git history."`

	Version kong.VersionFlag `help:"Print the version."`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], time.Now))
}

// clock tells the time to a command: what it serves, signs, shows or reads "90d"
// against. How long something took, and how long to wait, is the machine's own.
type clock func() time.Time

// run runs one command line, and gives the exit code.
func run(ctx context.Context, args []string, now clock) int {
	options := []kong.Option{
		kong.Name("sallyport"),
		kong.Description("The paperwork is the policy: patient data leaves only while everything that makes it lawful is in force, and the record proves it."),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true}),
		kong.Vars{"version": version},
		kong.ExplicitGroups([]kong.Group{
			{Key: "start", Title: "Start"},
			{Key: "deid", Title: "Patient data in files"},
			{Key: "vendor", Title: "The vendor's side"},
			{Key: "work", Title: "Work"},
			{Key: "record", Title: "The record"},
			{Key: "acts", Title: "Acts and reads, by noun (sallyport NOUN --help)"},
		}),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(now),
	}
	parser, err := kong.New(new(cli), append(options, nounCommands()...)...)
	if err != nil {
		fmt.Fprintln(os.Stderr, "sallyport:", err)
		return exitUsage
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintln(os.Stderr, "sallyport:", err)
		fmt.Fprintf(os.Stderr, "Next: %s --help\n", whereWrong(err))
		return exitUsage
	}
	if err := parsed.Run(); err != nil {
		if !errors.Is(err, errFound) && !errors.Is(err, errTold) {
			report(err)
		}
		return exitCode(err)
	}
	return 0
}

// Exit codes, which scripts may rely on. 0: done, and for verify: it verifies.
const (
	exitFailed = 1 // refused, not there, does not verify, server down
	exitUsage  = 2 // the command line itself is wrong
)

// whereWrong is the command whose help explains a mistake.
func whereWrong(err error) string {
	var p *kong.ParseError
	if errors.As(err, &p) && p.Context != nil {
		if n := p.Context.Selected(); n != nil {
			return n.FullPath()
		}
		for _, step := range slices.Backward(p.Context.Path) {
			if step.Command != nil {
				return step.Command.FullPath()
			}
		}
	}
	return "sallyport"
}

// report prints an error for a person: what is wrong, why, and the next step.
func report(err error) {
	var p *problem.Problem
	if !errors.As(err, &p) {
		fmt.Fprintln(os.Stderr, "sallyport:", err)
		return
	}
	title := p.Title
	if p.Field != "" {
		title = p.Field + ": " + title
	}
	fmt.Fprintln(os.Stderr, "sallyport:", title)
	for _, r := range p.Reasons {
		const column = "  %-20s %s\n" // as wide as separation-of-duties
		fmt.Fprintf(os.Stderr, column, r.Gate, r.Message)
		if r.NextStep != "" {
			fmt.Fprintf(os.Stderr, column, "", "Next ("+r.Who+"): "+r.NextStep)
		}
		if r.Citation != "" {
			verified := ""
			if r.Verified != "" && r.Verified != r.Citation {
				verified = " (" + r.Verified + ")"
			}
			fmt.Fprintf(os.Stderr, column, "", r.Citation+verified)
		}
	}
	if p.NextStep != "" {
		fmt.Fprintln(os.Stderr, "Next:", p.NextStep)
	}
	if p.Citation != "" {
		fmt.Fprintln(os.Stderr, "Rule:", p.Citation)
	}
	if p.Decision != "" {
		fmt.Fprintln(os.Stderr, "Decision:", p.Decision)
	}
}
