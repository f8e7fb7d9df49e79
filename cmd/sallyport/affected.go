package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
)

// affectedCmd is given the patients of an incident, in a file that only its owner reads.
type affectedCmd struct {
	Incident   id.Incident `required:"" help:"The incident." placeholder:"ID"`
	List       id.Act      `required:"" help:"The list, as sallyport disclosure radius --incident named it." placeholder:"ID"`
	Source     id.Source   `required:"" help:"The source whose patients they are." placeholder:"ID"`
	Reason     string      `short:"m" help:"Why, in a sentence; never patient data." required:""`
	Candidates string      `help:"Compare with the ids in this file, one a line, instead of all that the source has now: a backup's, to find who has left it since." placeholder:"FILE" type:"path"`
	Out        string      `short:"o" required:"" help:"Write the list here; the file must not be there." placeholder:"FILE" type:"path"`
	connection
}

// Run fetches the list.
func (c *affectedCmd) Run(ctx context.Context) (failed error) {
	in := map[string]any{"incident": c.Incident, "list": c.List, "source": c.Source, "reason": c.Reason}
	if c.Candidates != "" {
		ids, err := (&patientList{File: c.Candidates}).ids()
		if err != nil {
			return err
		}
		in["patients"] = ids
	}
	// Before it is asked: what is in the log as given must not be lost to a bad name.
	out, err := os.OpenFile(c.Out, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o600)
	if err != nil {
		return problem.BadField("out", c.Out+" cannot be made", "Give the name of a new file").Because(err)
	}
	defer func() {
		err := out.Close()
		if failed == nil && err != nil {
			failed = fmt.Errorf("writing %s: %w", c.Out, err)
		}
		if failed != nil { // nothing, or a part that could be taken for the whole
			failed = errors.Join(failed, os.Remove(c.Out))
		}
	}()
	resp, err := c.stream(ctx, http.MethodPost, "/v1/custody/affected", in)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(out, resp.Body); err != nil {
		return problem.New(problem.Unavailable, "The list broke off, and nothing of it was kept", "Ask again; the log has what was given").Because(err)
	}
	fmt.Printf("%s patients are in %s, decision %s of the log.\n", resp.Header.Get("Sallyport-Patients"), c.Out, resp.Header.Get("Sallyport-Decision"))
	if n := resp.Header.Get("Sallyport-Not-Found"); n != "0" {
		fmt.Printf("%s of the radius were not found: they have left the source, or their ids were changed there. Try --candidates with ids of then.\n", n)
	}
	fmt.Println("The file is patient data. Delete it when the notices are out.")
	return nil
}
