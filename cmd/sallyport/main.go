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
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/sallyport/sallyport/problem"
)

// version is set by the linker in releases.
var version = "dev"

type cli struct {
	Demo        demoCmd        `cmd:"" group:"start" help:"See it: a synthetic hospital, an outside AI vendor, and the two doors."`
	Init        initCmd        `cmd:"" group:"start" help:"Make a new installation: configuration, keys, the first person."`
	Serve       serveCmd       `cmd:"" group:"start" help:"Run the gateway and the API."`
	Certificate certificateCmd `cmd:"" group:"start" help:"Issue a client certificate to a person or a device, on the server's machine."`

	Apply      applyCmd      `cmd:"" group:"work" help:"Bring the registry to what a file says. Applying twice changes nothing."`
	Explain    explainCmd    `cmd:"" group:"work" help:"Why a request was, or would be, permitted or refused."`
	Acts       actsCmd       `cmd:"" group:"work" help:"Every act there is, or (--done) every act that was done."`
	Whoami     whoamiCmd     `cmd:"" group:"work" help:"Who you are to the server."`
	Checkpoint checkpointCmd `cmd:"" group:"record" help:"The audit log's newest signed checkpoint; keep it elsewhere."`
	Proof      proofCmd      `cmd:"" group:"record" help:"A proof that one entry is in the log, to check offline."`
	Verify     verifyCmd     `cmd:"" group:"record" help:"Check a log, its continuation or a proof offline, from public keys alone."`

	Patient patientCmd `cmd:"" group:"acts" help:"hold, release: patients who said no."`
	Cohort  cohortCmd  `cmd:"" group:"acts" help:"define: a list of patients that a grant can name."`

	Version kong.VersionFlag `help:"Print the version."`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:]))
}

func run(ctx context.Context, args []string) int {
	options := []kong.Option{
		kong.Name("sallyport"),
		kong.Description("The paperwork is the policy: patient data leaves only while everything that makes it lawful is in force, and the record proves it."),
		kong.UsageOnError(),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.Vars{"version": version},
		kong.ExplicitGroups([]kong.Group{
			{Key: "start", Title: "Start"},
			{Key: "work", Title: "Work"},
			{Key: "record", Title: "The record"},
			{Key: "acts", Title: "Acts and reads, by noun"},
		}),
		kong.BindTo(ctx, (*context.Context)(nil)),
	}
	parser, err := kong.New(new(cli), append(options, nounCommands()...)...)
	if err != nil {
		fmt.Fprintln(os.Stderr, "sallyport:", err)
		return 2
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintln(os.Stderr, "sallyport:", err)
		fmt.Fprintln(os.Stderr, "Next: sallyport --help")
		return 2
	}
	if err := parsed.Run(); err != nil {
		report(err)
		return 1
	}
	return 0
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
		fmt.Fprintf(os.Stderr, "  %-15s %s\n", r.Gate, r.Message)
		if r.NextStep != "" {
			fmt.Fprintf(os.Stderr, "  %-15s Next (%s): %s\n", "", r.Who, r.NextStep)
		}
		if r.Citation != "" {
			fmt.Fprintf(os.Stderr, "  %-15s %s (%s)\n", "", r.Citation, r.Verified)
		}
	}
	if p.NextStep != "" {
		fmt.Fprintln(os.Stderr, "Next:", p.NextStep)
	}
	if p.Decision != "" {
		fmt.Fprintln(os.Stderr, "Decision:", p.Decision)
	}
}
