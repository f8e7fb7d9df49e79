package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/server"
)

// extraCommands are commands of a noun besides its acts, list and get; one of an
// act's name stands in its place.
var extraCommands = map[string][]extraCommand{
	"incident": {
		{"clocks", "Every clock that runs for an incident, with what is due when.", incidentClocksCmd{}},
		{"notice", "Draft a notice, or write the fields of its mail merge.", incidentNoticeCmd{}},
		{"story", "Tell an incident from its beginning.", incidentStoryCmd{}},
		{"neglected", "List open incidents and findings that nobody looks at.", incidentNeglectedCmd{}},
	},
	"vendor": {
		{"risk", "A vendor's inherent risk, computed from its profile, with the working.", vendorRiskCmd{}},
		{"tree", "To whom a vendor passes data on, and which links lack an agreement.", vendorTreeCmd{}},
		{"standing", "What a vendor's assessment relies on, and what has reopened it.", vendorStandingCmd{}},
	},
	"questionnaire": {
		{"show", "The questions and answers.", questionnaireShowCmd{}},
		{"score", "What the answers come to; --working shows the sum.", questionnaireScoreCmd{}},
		{"score-answers", "Give answers their score, 0 to 3.", questionnaireScoreAnswersCmd{}},
		{"questions", "The 64 questions, or one of them with its scale.", questionnaireQuestionsCmd{}},
		{"import", "Fill in what the vendor's CAIQ or HECVAT claims, where there is no answer.", questionnaireImportCmd{}},
		{"fill", "Save the answers of a CSV file, one by one.", questionnaireFillCmd{}},
		{"attach", "Attach a file of evidence to an answer.", questionnaireAttachCmd{}},
	},
	"offboarding": {
		{"left", "What is left to do before it is complete.", offboardingLeftCmd{}},
		{"inventory", "Count what was released, from the audit log, and record it.", offboardingStepCmd{Step: "inventory"}},
		{"ask", "A link by which the vendor says what became of the data. It is shown once.", offboardingAskCmd{}},
		{"check", "Look whether anything of what ended was tried since, and record it.", offboardingCheckCmd{}},
		{"certificate", "The certificate of return and destruction: a draft, until it is complete.", offboardingCertificateCmd{}},
		{"finish", "Write the certificate, store it and complete the offboarding.", offboardingStepCmd{Step: "finish"}},
	},
	"person": {
		{"invite", "Let a person register a passkey, once, with a code that is handed to them.", inviteCmd{}},
	},
	"agreement": append([]extraCommand{
		{"check", "What is missing or weak in an agreement, and what that switches off.", agreementCheckCmd{}},
		{"report", "What is missing, weak or overdue under the agreements that run.", agreementReportCmd{}},
	}, agreementCommands...),
	"certification": {
		{"judge", "What a report or certificate is worth now, and why.", certificationJudgeCmd{}},
		{"alike", "Reports of different vendors whose texts are alike.", certificationAlikeCmd{}},
		{"compare", "Compare the texts of reports here, or print their fingerprints.", certificationCompareCmd{}},
	},
	"training": {
		{"import", "Record completions out of a learning management system: CSV or xAPI, all or none.", trainingImportCmd{}},
		{"export", "Every completion, as CSV or xAPI statements.", trainingExportCmd{}},
		{"certificate", "The certificate of a completion, as a PDF.", trainingCertificateCmd{}},
		{"badge", "The badge of a completion: an Open Badge 3.0 that verifies offline.", trainingBadgeCmd{}},
		{"drill", "Write the synthetic files of a drill of the course. Offline.", trainingDrillCmd{}},
	},
	"role": {
		{"fields", "What a role shows, element by element, and what its profile makes of each.", roleFieldsCmd{}},
	},
	"request": {
		{"preview", "What stands in the way of a request, before it is made.", requestPreviewCmd{}},
		{"mine", "What you have, and what you may ask for.", requestMineCmd{}},
	},
	"campaign": {
		{"items", "The grants of a campaign: what each was used for, what it did not need, what its peers have.", campaignItemsCmd{}},
		{"report", "How a campaign was carried out, and what looks like a rubber stamp.", campaignReportCmd{}},
	},
	"emergency": {
		{"procedures", "How each source is reached in an emergency: never through Sallyport.", emergencyProceduresCmd{}},
		{"list", "List uses of emergency procedures.", emergencyListCmd{}},
	},
	"key": {
		{"rotate", "New keys for an engagement, or (--root) another root for all keys. Nothing is lost, nothing stops.", keyRotateCmd{}},
		{"statement", "What was under an engagement's keys and what was not, and what became of them.", keyStatementCmd{}},
		{"backup", "Split the root key into shares, some of which restore it (Shamir).", keyBackupCmd{}},
		{"restore", "Restore the root key from its shares.", keyRestoreCmd{}},
		{"backup-store", "Back up the key store, sealed under its generation key.", keyBackupStoreCmd{}},
		{"restore-store", "Bring back what is missing in the key store.", keyRestoreStoreCmd{}},
		{"status", "How the key store stands: root, rotation, backups, old roots.", keyStatusCmd{}},
	},
}

// hiddenActs are done by one of the extra commands, which does what they note.
var hiddenActs = map[registry.Kind]bool{"key.rotate-root": true, "key.backup-root": true}

type extraCommand struct {
	name, help string
	command    any
}

// configFlag says which installation the command works on.
type configFlag struct {
	Config string `short:"c" help:"The configuration file." default:"sallyport.yaml" type:"path"`
}

func (c configFlag) load() (*server.Config, error) { return server.Load(c.Config) }

// note does an act of the noun key, through the API as any other.
func (c connection) note(ctx context.Context, kind registry.Kind, subject, reason string, a registry.Act) (api.ActResult, error) {
	var done api.ActResult
	spec, ok := registry.Lookup(kind)
	if !ok {
		return done, fmt.Errorf("there is no act %s", kind)
	}
	raw, err := json.Marshal(a)
	if err != nil {
		return done, err
	}
	path := strings.ReplaceAll(spec.Path, "{id}", url.PathEscape(subject))
	err = c.call(ctx, http.MethodPost, path, api.ActBody{Reason: reason, Act: raw}, &done)
	return done, err
}

type keyRotateCmd struct {
	Engagement string        `arg:"" optional:"" help:"The engagement whose keys to rotate."`
	Codes      bool          `help:"Begin its codes anew too: the vendor can then not join what it has with what comes."`
	Root       bool          `help:"Rotate the root instead, on the server's machine."`
	To         string        `help:"The new root: file, file:PATH, passphrase, or the URL of a key service." default:"file" placeholder:"ROOT"`
	Passphrase string        `name:"passphrase-file" help:"The new passphrase." placeholder:"FILE" type:"path"`
	Grace      time.Duration `help:"How long other processes have to take up the new root." default:"10s"`
	Finish     bool          `help:"Only finish a rotation of the root that was begun."`
	Reason     string        `short:"m" help:"Why, in a sentence." required:""`
	configFlag
	connection
}

// Run rotates.
func (c *keyRotateCmd) Run(ctx context.Context) error {
	switch {
	case c.Root == (c.Engagement != ""):
		return problem.BadField("engagement", "name an engagement, or --root", "sallyport key rotate ENGAGEMENT, or sallyport key rotate --root --to ROOT")
	case c.Root:
		return c.root(ctx)
	}
	done, err := c.note(ctx, "key.rotate", c.Engagement, c.Reason, registry.RotateKey{ID: id.Engagement(c.Engagement), Codes: c.Codes})
	if err != nil {
		return err
	}
	fmt.Printf("key.rotate %s: done, entry %d of log %s. Every node seals with the new keys within seconds; what was sealed before opens as before.\n", c.Engagement, done.LogIndex, done.Log)
	return nil
}

func (c *keyRotateCmd) root(ctx context.Context) error {
	config, err := c.load()
	if err != nil {
		return err
	}
	if err := server.CheckRoot(c.To, c.Passphrase); err != nil {
		return err
	}
	keys, err := server.OpenKeys(config)
	if err != nil {
		return err
	}
	if !c.Finish {
		done, err := c.note(ctx, "key.rotate-root", "", c.Reason, registry.RotateRootKey{Root: keys.Root(), Kind: server.RootKindOf(c.To)})
		if err != nil {
			return err
		}
		fmt.Printf("key.rotate-root: noted, entry %d of log %s\n", done.LogIndex, done.Log)
		inPlace, err := keys.RotateRoot(c.To, c.Passphrase)
		if err != nil {
			return err
		}
		fmt.Printf("Every key is under the root %s. Until this is finished the old root opens them too.\n", keys.Root())
		if !inPlace {
			fmt.Printf("Next: write into %s\n  root_key: %q\n", c.Config, c.To)
			if c.Passphrase != "" {
				fmt.Printf("  passphrase_file: %q\n", c.Passphrase)
			}
			fmt.Println("on every node, and then: sallyport key rotate --root --finish -m ...")
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(c.Grace):
		}
	}
	old, err := keys.FinishRoot(c.now())
	if err != nil {
		return err
	}
	if old == "" {
		fmt.Println("No rotation of the root is under way.")
		return nil
	}
	fmt.Printf("Finished. The root %s opens nothing in the key store any more.\nCopies of the key store from before still open under it: destroy it where it is kept (shares, files, the key at its service).\nMake new shares: sallyport key backup. Make a new backup: sallyport key backup-store.\n", old)
	return nil
}

type keyBackupCmd struct {
	Shares    int    `help:"How many shares to make." default:"5"`
	Threshold int    `help:"How many of them restore the root." default:"3"`
	Out       string `short:"o" help:"A new folder for the shares." required:"" placeholder:"DIR" type:"path"`
	Reason    string `short:"m" help:"Why, in a sentence." required:""`
	configFlag
	connection
}

// Run notes that the root is split, and splits it.
func (c *keyBackupCmd) Run(ctx context.Context) error {
	config, err := c.load()
	if err != nil {
		return err
	}
	keys, err := server.OpenKeys(config)
	if err != nil {
		return err
	}
	done, err := c.note(ctx, "key.backup-root", "", c.Reason, registry.BackUpRootKey{Root: keys.Root(), Shares: c.Shares, Threshold: c.Threshold})
	if err != nil {
		return err
	}
	files, err := keys.SplitRoot(c.Out, c.Shares, c.Threshold, c.now())
	if err != nil {
		return err
	}
	fmt.Printf("key.backup-root: noted, entry %d of log %s\nThe root %s in %d shares, any %d of which restore it:\n", done.LogIndex, done.Log, keys.Root(), c.Shares, c.Threshold)
	for _, f := range files {
		fmt.Println(" ", f)
	}
	fmt.Println("Give each to another keeper, printed or on a stick, and remove the files here. Try a restore on another machine before you rely on it.")
	return nil
}

type keyRestoreCmd struct {
	Shares []string `arg:"" help:"The files of the shares; - is standard input." type:"path"`
	Out    string   `short:"o" help:"Write the root here instead of where the configuration has it." placeholder:"FILE" type:"path"`
	configFlag
}

// Run restores the root. No act notes it: without its root no server runs. The
// next start does.
func (c *keyRestoreCmd) Run() error {
	config, err := c.load()
	if err != nil {
		return err
	}
	texts := make([][]byte, len(c.Shares))
	for i, name := range c.Shares {
		if texts[i], err = readInput(name); err != nil {
			return err
		}
	}
	path, root, err := server.RestoreRoot(config, texts, c.Out)
	if err != nil {
		return err
	}
	fmt.Printf("The root %s is in %s.\n", root, path)
	if server.RootKindOf(config.RootKey) != "file" || config.PassphraseFile != "" {
		fmt.Printf("It was not a file before. Write into %s\n  root_key: file\nand leave passphrase_file out.\n", c.Config)
	}
	return nil
}

type keyBackupStoreCmd struct {
	Out    string `short:"o" help:"A new file for the backup." required:"" placeholder:"FILE" type:"path"`
	Reason string `short:"m" help:"Why, in a sentence." required:""`
	configFlag
	connection
}

// Run makes the backup, notes it and writes it.
func (c *keyBackupStoreCmd) Run(ctx context.Context) error {
	config, err := c.load()
	if err != nil {
		return err
	}
	keys, err := server.OpenKeys(config)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(c.Out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return problem.BadField("out", c.Out+" cannot be made", "Name a new file").Because(err)
	}
	text, made, err := keys.BackupStore(c.now())
	if err == nil {
		_, err = f.Write(text)
	}
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		_ = os.Remove(c.Out) // half a backup is none
		return err
	}
	done, err := c.note(ctx, "key.backup-store", "", c.Reason, registry.BackUpKeyStore{Generation: made.Generation, SHA256: made.SHA256})
	if err != nil {
		_ = os.Remove(c.Out)
		return err
	}
	fmt.Printf("key.backup-store: done, entry %d of log %s\n%d engagements, generation %d: %s\nIt can be read until an engagement's keys are destroyed; make a new one after that. It needs the generation key, which is in the key store", done.LogIndex, done.Log, made.Engagements, made.Generation, c.Out)
	if config.GenerationMirror == "" {
		fmt.Println(" alone: set generation_mirror, or a lost disk takes this backup along.")
		return nil
	}
	fmt.Println(" and in its mirror.")
	return nil
}

type keyRestoreStoreCmd struct {
	File string `arg:"" help:"The backup; - is standard input." type:"path"`
	configFlag
}

// Run brings back what is missing.
func (c *keyRestoreStoreCmd) Run() error {
	config, err := c.load()
	if err != nil {
		return err
	}
	raw, err := readInput(c.File)
	if err != nil {
		return err
	}
	done, err := server.RestoreKeyStore(config, bytes.NewReader(raw))
	if err != nil {
		return err
	}
	fmt.Printf("%d files brought back, %d were there.\n", len(done.Written), done.Kept)
	for _, name := range done.Written {
		fmt.Println(" ", name)
	}
	if len(done.Destroyed) > 0 {
		fmt.Println("Destroyed, and not brought back:", strings.Join(done.Destroyed, ", "))
	}
	return nil
}

type keyStatusCmd struct {
	JSON bool `name:"json" help:"Print JSON."`
	configFlag
}

// Run tells how the key store stands.
func (c *keyStatusCmd) Run(ctx context.Context) error {
	config, err := c.load()
	if err != nil {
		return err
	}
	keys, err := server.OpenKeys(config)
	if err != nil {
		return err
	}
	s, err := keys.Status(ctx)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(s)
	}
	fmt.Printf("key store    %s\nroot         %s (%s)\n", s.Store, s.Root, s.Kind)
	if s.Rotating {
		fmt.Println("rotation     begun and not finished: sallyport key rotate --root --finish")
	}
	switch {
	case s.Backups.Generation == 0:
		fmt.Println("backup       never: sallyport key backup-store")
	case s.Backups.BackedUpAt.IsZero():
		fmt.Printf("backup       none that can be read: generation %d began with the last destruction: sallyport key backup-store\n", s.Backups.Generation)
	default:
		fmt.Printf("backup       %s, generation %d\n", s.Backups.BackedUpAt.Format(time.RFC3339), s.Backups.Generation)
	}
	if s.Mirror == "" {
		fmt.Println("mirror       none: a lost disk takes the key of its backups along (generation_mirror)")
	} else {
		fmt.Printf("mirror       %s\n", s.Mirror)
	}
	for _, r := range s.Retired {
		fmt.Printf("old root     %s (%s), until %s: %s\n", r.ID, r.Kind, r.RetiredAt.Format(time.DateOnly), oldRoot(r))
	}
	return nil
}

func oldRoot(r server.RetiredRoot) string {
	switch r.State {
	case "pending":
		return "its service destroys it at " + r.DestroyedAt.Format(time.RFC3339) + "; until then copies from its time can be opened"
	case "destroyed":
		return "destroyed at its service"
	case "enabled", "disabled":
		return r.State + " at its service: copies from its time can be opened; have it destroyed there"
	}
	return "whether it still exists cannot be told from here"
}

type keyStatementCmd struct {
	Engagement string `arg:"" help:"The engagement."`
	JSON       bool   `name:"json" help:"Print JSON."`
	connection
}

// Run fetches the statement.
func (c *keyStatementCmd) Run(ctx context.Context) error {
	path := "/v1/keys/" + url.PathEscape(c.Engagement) + "/statement"
	if c.JSON {
		var out any
		if err := c.call(ctx, http.MethodGet, path, nil, &out); err != nil {
			return err
		}
		return printJSON(out)
	}
	var out api.KeyStatement
	if err := c.call(ctx, http.MethodGet, path, nil, &out); err != nil {
		return err
	}
	fmt.Print(out.Text())
	return nil
}
