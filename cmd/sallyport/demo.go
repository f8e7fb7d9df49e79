package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/charmbracelet/colorprofile"
	"golang.org/x/mod/sumdb/note"

	"github.com/sallyport/sallyport/audit/verify"
	"github.com/sallyport/sallyport/hospital"
	"github.com/sallyport/sallyport/problem"
)

type demoCmd struct {
	Once     bool   `help:"Tell the story of the two doors in ten steps, and stop; exits 0 only if every step came out as it must."`
	JSON     bool   `name:"json" help:"JSON: one object a step; without --once one that says where to look."`
	Dir      string `help:"The folder to write into; it must not exist yet. Without it a new one in the system's folder for temporary files." placeholder:"DIR" type:"path"`
	Patients int    `help:"How many patients the hospital has; 0: 150, and 40 with --once." default:"0"`
	Quick    bool   `help:"A tenth of the requests of the seven months, for a slow machine."`
	Open     bool   `help:"Open the page in your browser."`
}

// question is what the vendor asks for, before and after the papers.
const question = "/fhir/ehr/Patient?_count=1"

// errDemo says that a step did not come out as it must.
var errDemo = errors.New("the demo did not come out as it must")

// Run makes an organisation with a past, and opens the console on it; or, once, tells the
// story of the two doors. Both are on real servers.
func (c *demoCmd) Run(ctx context.Context, now clock) (err error) {
	t := &teller{out: colorprofile.NewWriter(os.Stdout, os.Environ()), json: c.JSON}
	if c.Patients == 0 && c.Once {
		c.Patients = 40
	}
	if c.Patients != 0 && (c.Patients < 4 || c.Patients > 5000) {
		return problem.BadField("patients", "is not between 4 and 5000", "Leave it out")
	}
	dir := c.Dir
	if dir == "" {
		if dir, err = os.MkdirTemp("", "sallyport-demo-"); err != nil {
			return fmt.Errorf("making the folder: %w", err)
		}
	} else if err := os.Mkdir(dir, 0o700); err != nil {
		return problem.BadField("dir", dir+" cannot be made, or exists", "Name a new folder").Because(err)
	}
	if !c.Once {
		return c.stay(ctx, t, dir, now)
	}
	d := &demo{teller: t}
	began := time.Now()
	t.begin(1, "A synthetic hospital, and Sallyport in front of it")
	if d.world, err = startWorld(ctx, dir, c.Patients, now); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.world.stop()) }()
	if err := d.start(c.Patients); err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{d.refused, d.papers, d.served, d.inside, d.forecast, d.cut, d.goodbye, d.proof} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return d.rest(time.Since(began))
}

type demo struct {
	*teller
	world *demoWorld
	cutAt uint64 // log index of the act that cut the download

	patient, code string // the patient of step 4: the hospital's id, and the vendor's
	missed        bool   // a step did not come out as it must
}

// must notes whether what was claimed is true.
func (d *demo) must(ok bool, claim string) bool {
	if !ok {
		d.missed = true
		d.fact("failed", claim)
		d.say("%s %s", badStyle.Render("NOT SO:"), claim)
	}
	return ok
}

func (d *demo) start(patients int) error {
	w := d.world
	d.fact("dir", w.dir)
	d.fact("gateway", w.gateway)
	d.fact("patients", patients)
	d.say("Mercy Valley Health (synthetic): %d patients at %s", patients, w.upstream)
	d.say("Sallyport: vendors at %s, the organisation's people at %s", w.gateway, w.people["ada"].Server)
	d.say("Everything is written into %s, and nothing outside it.", w.dir)
	return d.end(true)
}

// refused is step 2.
func (d *demo) refused(ctx context.Context) error {
	d.begin(2, "An outside AI vendor asks for a patient's record, and is refused")
	w := d.world
	stranger, err := w.stranger(ctx, question)
	if err != nil {
		return err
	}
	ok := d.must(stranger == http.StatusUnauthorized, "an unknown caller gets a bare 401")
	d.say("A caller that nobody enrolled gets a bare %d.", stranger)
	if err := d.perform(ctx, w.groups[0]); err != nil {
		return err
	}
	d.say("Northwind AI's program and machine are enrolled, so they are known; its papers are drafted, and none is signed.")
	d.say("It asks: GET %s", question)
	status, p, err := w.refusal(ctx, question)
	if err != nil {
		return err
	}
	ok = d.must(status == http.StatusForbidden && p != nil && len(p.Reasons) > 5, "the request is refused, and every missing paper is named") && ok
	if p != nil {
		d.say("%s  Decision %s. What the vendor is told:", badStyle.Render(fmt.Sprint(status)), p.Decision)
		d.reasons(p.Reasons)
		d.fact("decision", p.Decision)
		d.fact("reasons", p.Reasons)
		owner, err := w.ownerReasons(ctx, p.Decision)
		if err != nil {
			return err
		}
		d.fact("owner_gates", owner)
		ok = d.must(len(owner) >= len(gatesOf(p.Reasons))-1, "the owner sees all reasons") && ok
		d.say("The owner sees all: %s", strings.Join(owner, ", "))
	}
	return d.end(ok)
}

func (d *demo) reasons(reasons []problem.Reason) {
	for _, r := range reasons {
		d.say("  %-15s %s", r.Gate, r.Message)
		d.say("  %-15s %s", "", dimStyle.Render(fmt.Sprintf("%s: %s  [%s, %s]", r.Who, r.NextStep, r.Citation, r.Verified)))
	}
}

func gatesOf(reasons []problem.Reason) []string {
	var out []string
	for _, r := range reasons {
		if !slices.Contains(out, r.Gate) {
			out = append(out, r.Gate)
		}
	}
	return out
}

func (d *demo) perform(ctx context.Context, g group) error {
	for _, a := range g.Acts {
		if _, err := d.world.act(ctx, a.By, a.Kind, a.Reason, a.Act); err != nil {
			return err
		}
	}
	return nil
}

// papers is step 3.
func (d *demo) papers(ctx context.Context) error {
	d.begin(3, "The papers, one by one; nobody approves what they asked for")
	w := d.world
	_, own, err := w.tryOwnApproval(ctx)
	if err != nil {
		return err
	}
	ok := d.must(own, "who asks cannot approve")
	d.say("Ada proposed the vendor. She tries to approve it herself: refused (separation of duties).")
	type shrink struct {
		After string   `json:"after"`
		Gates []string `json:"gates"`
	}
	var shrinks []shrink
	before := 1 << 10
	for _, g := range w.groups[1:] {
		if err := d.perform(ctx, g); err != nil {
			return err
		}
		w.vendor.Forget() // a token keeps the grant that it was issued for
		status, p, err := w.refusal(ctx, question)
		if err != nil {
			return err
		}
		var gates []string
		if p != nil {
			if gates, err = w.ownerReasons(ctx, p.Decision); err != nil {
				return err
			}
		}
		shrinks = append(shrinks, shrink{g.Title, gates})
		mark := badStyle.Render(fmt.Sprintf("%2d gates refuse", len(gates)))
		if status == http.StatusOK {
			mark = goodStyle.Render("the door opens")
		}
		d.say("%-58s %s  %s", g.Title, mark, dimStyle.Render(strings.Join(gates, " ")))
		ok = d.must(len(gates) <= before, "the list of refusals only shrinks") && ok
		before = len(gates)
	}
	d.fact("shrinks", shrinks)
	ok = d.must(before == 0, "with every paper in force the request is served") && ok
	return d.end(ok)
}

// served is step 4.
func (d *demo) served(ctx context.Context) error {
	d.begin(4, "The same request again: served, minimised and pseudonymised")
	w := d.world
	status, released, err := w.ask(ctx, question)
	if err != nil {
		return err
	}
	original, err := get(ctx, w.upstream+strings.TrimPrefix(question, "/fhir/ehr"))
	if err != nil {
		return err
	}
	from, to := firstResource(original), firstResource(released)
	ok := d.must(status == http.StatusOK && to != nil, "the request is served")
	d.beside(from, to)
	d.patient, _ = from["id"].(string)
	d.code, _ = to["id"].(string)
	name, _ := json.Marshal(from["name"])
	birth, _ := from["birthDate"].(string)
	ok = d.must(len(name) > 4 && !bytes.Contains(released, name) && to["name"] == nil, "no name is released") && ok
	ok = d.must(from["id"] != to["id"], "the id is a pseudonym") && ok
	ok = d.must(len(birth) == 10 && to["birthDate"] == birth[:4], "the birth date is a year") && ok
	ok = d.must(bytes.Contains(released, []byte("SUBSETTED")), "it is tagged SUBSETTED") && ok
	d.fact("original", from)
	d.fact("released", to)
	d.say("Fields: only those that the role names. Dates: years. Ids: pseudonyms that only the owner can turn back.")
	d.say("It is tagged SUBSETTED, and not called de-identified: that takes more (45 CFR 164.514(a)-(c)).")
	noted, err := d.note(ctx)
	if err != nil {
		return err
	}
	return d.end(ok && noted)
}

// note shows a note of the patient before and after. Its code is turned back by
// Grace, which is an act.
func (d *demo) note(ctx context.Context) (bool, error) {
	w := d.world
	status, body, err := w.ask(ctx, "/fhir/ehr/DocumentReference?patient="+d.code+"&_count=50")
	if err != nil {
		return false, err
	}
	code, after := firstNote(body)
	ok := d.must(status == http.StatusOK && after != "", "a note is released")
	if !ok {
		return false, nil
	}
	var revealed struct{ IDs []string }
	err = w.people["grace"].call(ctx, http.MethodPost, "/v1/custody/reveal", map[string]any{"engagement": "triage-eval", "codes": []string{code}, "reason": "to show the note as it was"}, &revealed)
	if err != nil || len(revealed.IDs) != 1 {
		return false, errors.Join(err, errDemo)
	}
	original, err := get(ctx, w.upstream+"/DocumentReference/"+revealed.IDs[0])
	if err != nil {
		return false, err
	}
	_, before := firstNote([]byte(`{"entry":[{"resource":` + string(original) + `}]}`))
	d.say("")
	d.say("A progress note, scrubbed with the patient's own record as a dictionary (profile triage-notes):")
	d.lines(before, after)
	d.fact("note_before", before)
	d.fact("note_after", after)
	_, rest, found := strings.Cut(before, "Patient: ")
	family, _, comma := strings.Cut(rest, ",")
	ok = d.must(found && comma && family != "" && !strings.Contains(strings.ToUpper(after), family), "the patient's name is not in it") && ok
	ok = d.must(strings.Contains(after, "[NAME]") && strings.Contains(after, "[SSN]") && strings.Contains(after, "CHIEF COMPLAINT"), "what identifies is marked, and the rest stands") && ok
	d.say("Text so scrubbed is never called de-identified: what nobody found is still in it.")
	d.say("Grace asked whose note it is; that is an act with a reason, in the log before she was told. No vendor can ask.")
	return ok, nil
}

// firstNote is the first document of a Bundle that has a text, and its id.
func firstNote(bundle []byte) (id, note string) {
	var b struct {
		Entry []struct {
			Resource struct {
				ID      string
				Content []struct{ Attachment struct{ Data []byte } }
			}
		}
	}
	if json.Unmarshal(bundle, &b) != nil {
		return "", ""
	}
	for _, e := range b.Entry {
		for _, c := range e.Resource.Content {
			if len(c.Attachment.Data) > 0 {
				return e.Resource.ID, string(c.Attachment.Data)
			}
		}
	}
	return "", ""
}

// cut is step 7.
func (d *demo) cut(ctx context.Context) error {
	d.begin(7, "A long download; the BAA is terminated in the middle")
	w := d.world
	// Everything of one patient: the hospital answers with two hundred megabytes,
	// made as they are sent.
	w.hospital.Misbehave(hospital.Fault{Path: "Patient/" + d.patient + "/$everything", Huge: 200 << 20, Rate: 64 << 20, Patient: d.patient})
	defer w.hospital.Misbehave()
	d.say("GET /fhir/ehr/Patient/%s/$everything", clip(d.code, 16))
	resp, err := w.open(ctx, "/fhir/ehr/Patient/"+d.code+"/$everything")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	ok := d.must(resp.StatusCode == http.StatusOK, "the download begins")
	var received atomic.Int64
	type end struct {
		at  time.Time
		err error
	}
	ended := make(chan end, 1)
	go func() {
		buf := make([]byte, 64<<10)
		last := time.Now()
		for {
			n, err := resp.Body.Read(buf)
			if n > 0 {
				received.Add(int64(n))
				last = time.Now()
			}
			if err != nil {
				ended <- end{last, err}
				return
			}
		}
	}()
	for deadline := time.Now().Add(20 * time.Second); received.Load() < 8<<20 && time.Now().Before(deadline); {
		time.Sleep(20 * time.Millisecond)
	}
	before := received.Load()
	ok = d.must(before >= 8<<20, "bytes flow before the termination") && ok
	sent := time.Now()
	done, err := w.act(ctx, "grace", "agreement.terminate", "material breach", map[string]any{"id": "northwind-baa"})
	acted := time.Since(sent)
	if err != nil {
		return err
	}
	d.cutAt = done.LogIndex
	var e end
	select {
	case e = <-ended:
	case <-time.After(20 * time.Second):
		return fmt.Errorf("%w: the download went on after the BAA was terminated", errDemo)
	}
	after := e.at.Sub(sent)
	ok = d.must(e.err != io.EOF, "the download is cut, not finished") && ok
	d.fact("bytes_before", before)
	d.fact("bytes_total", received.Load())
	d.fact("ms_act", float64(acted.Microseconds())/1000)
	d.fact("ms_from_act_sent_to_last_byte", max(0, float64(after.Microseconds())/1000))
	d.say("%.1f MB had come when the BAA was terminated (entry %d of the log).", float64(before)/(1<<20), done.LogIndex)
	d.say("Grace's act was durable, logged and answered %.1f ms after she sent it.", float64(acted.Microseconds())/1000)
	if after > 0 {
		d.say("The last byte of the download came %.1f ms after she sent it:", float64(after.Microseconds())/1000)
	} else {
		d.say("No byte of the download came after she sent it:")
	}
	d.say("%.1f MB had come, of 200 MB that the hospital would have sent; then the connection was cut.", float64(received.Load())/(1<<20))
	status, p, err := w.refusal(ctx, question)
	if err != nil {
		return err
	}
	ok = d.must(status == http.StatusForbidden && p != nil && slices.Contains(gatesOf(p.Reasons), "agreement"), "the next request is refused by the agreement gate") && ok
	d.say("The next request: %s", badStyle.Render(fmt.Sprint(status)))
	if p != nil {
		d.reasons(p.Reasons)
	}
	return d.end(ok)
}

// proof is step 9.
func (d *demo) proof(ctx context.Context) error {
	d.begin(9, "The record proves it, offline; one changed byte is found")
	w := d.world
	key, err := w.logKey()
	if err != nil {
		return err
	}
	// Within a second every entry is under a signed checkpoint.
	logDir := w.config.Data("audit")
	var report verify.Report
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		if report, err = verify.Log(os.DirFS(logDir), key); err != nil {
			return err
		}
		if report.Uncovered == 0 && report.Size > d.cutAt || time.Now().After(deadline) {
			break
		}
	}
	ok := d.must(report.Size > d.cutAt, "the log verifies from its public key alone")
	d.say("%s sallyport verify %s", dimStyle.Render("$"), logDir)
	d.say("%s  %d entries: %d acts, %d permitted, %d refused; root %s", goodStyle.Render("verifies"), report.Size, report.Acts, report.Intents, report.Refusals, report.Root)

	proofFile := filepath.Join(w.dir, "terminated.proof")
	var proof []byte
	if err := w.people["grace"].call(ctx, http.MethodGet, fmt.Sprintf("/v1/log/proofs/%d", d.cutAt), nil, &proof); err != nil {
		return err
	}
	if err := os.WriteFile(proofFile, proof, 0o644); err != nil {
		return fmt.Errorf("writing the proof: %w", err)
	}
	proved, err := verify.Proof(proof, key)
	ok = d.must(err == nil && proved.Index == d.cutAt, "the termination alone can be proved") && ok
	d.say("%s sallyport verify %s --key %s", dimStyle.Render("$"), proofFile, w.config.Data("log.pub"))
	d.say("%s  entry %d: %s", goodStyle.Render("verifies"), proved.Index, clip(string(proved.Entry), 90))

	tampered := filepath.Join(w.dir, "tampered")
	if err := os.CopyFS(tampered, os.DirFS(logDir)); err != nil {
		return fmt.Errorf("copying the log: %w", err)
	}
	where, err := changeOneByte(tampered, "agreement.terminate")
	if err != nil {
		return err
	}
	_, err = verify.Log(os.DirFS(tampered), key)
	var fault *verify.Fault
	found := errors.As(err, &fault)
	ok = d.must(found && fault.Entry == int64(d.cutAt), "one changed byte is found, at its entry") && ok
	d.say("One byte of a copy is changed: %q becomes %q in %s", "agreement.terminate", "bgreement.terminate", where)
	if found {
		d.say("%s  %s", badStyle.Render("does NOT verify"), fault)
		d.fact("fault_entry", fault.Entry)
	}
	d.fact("entries", report.Size)
	d.fact("root", report.Root.String())
	return d.end(ok)
}

func (w *demoWorld) logKey() (note.Verifier, error) {
	raw, err := os.ReadFile(w.config.Data("log.pub"))
	if err != nil {
		return nil, fmt.Errorf("reading the log's public key: %w", err)
	}
	return note.NewVerifier(strings.TrimSpace(string(raw)))
}

// changeOneByte changes the first letter of text in each entry bundle of the
// log that holds it: a bundle may stand there more than once, as it grew.
func changeOneByte(dir, text string) (where string, err error) {
	entries := filepath.Join(dir, "tile", "entries")
	err = filepath.WalkDir(entries, func(path string, f fs.DirEntry, err error) error {
		if err != nil || f.IsDir() {
			return err
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		i := bytes.Index(raw, []byte(text))
		if i < 0 {
			return nil
		}
		raw[i]++
		where, err = filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		if err := os.Chmod(path, 0o600); err != nil {
			return err
		}
		return os.WriteFile(path, raw, 0o600)
	})
	if err == nil && where == "" {
		err = fmt.Errorf("no entry holds %q", text)
	}
	return where, err
}

// rest is step 10.
func (d *demo) rest(took time.Duration) error {
	d.begin(10, "What to try next")
	w := d.world
	d.fact("seconds", took.Seconds())
	d.say("It took %.1f s. What was written stays in %s; the servers have stopped.", took.Seconds(), w.dir)
	d.say("  sallyport verify %s", w.config.Data("audit"))
	d.say("  sallyport demo    the same hospital with seven months behind it, and its console in your browser")
	d.say("With your own FHIR server: sallyport init, then docs/first-hour.md")
	if err := d.end(!d.missed); err != nil {
		return err
	}
	if d.missed {
		return errDemo
	}
	return nil
}
