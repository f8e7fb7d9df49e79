package server

import (
	"testing"
	"time"

	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/snapshot"
)

// What gets worse is recorded at once, and there is an end to getting worse: a
// device cannot fill the log by going to and fro.
func TestThereIsAnEndToGettingWorse(t *testing.T) {
	const pass, fail = snapshot.CheckPass, snapshot.CheckFail
	state := func(age int, disk, wall snapshot.Check) registry.ReportPosture {
		return registry.ReportPosture{UpdateAge: age, DiskEncryption: disk, ScreenLock: pass, Firewall: wall, MalwareProtection: pass, HardwareKey: pass}
	}
	for name, c := range map[string]struct {
		states []registry.ReportPosture // each after the one before, and the first after the last
		most   int                      // so many of them are recorded at once
	}{
		"a disk":                      {[]registry.ReportPosture{state(1, pass, pass), state(1, fail, pass)}, 1},
		"the age of updates":          {[]registry.ReportPosture{state(1, pass, pass), state(2, pass, pass), state(3, pass, pass), state(4, pass, pass)}, 0},
		"beyond what is asked":        {[]registry.ReportPosture{state(30, pass, pass), state(31, pass, pass)}, 1},
		"known and unknown":           {[]registry.ReportPosture{state(-1, pass, pass), state(0, pass, pass)}, 1},
		"unknown, old":                {[]registry.ReportPosture{state(-1, pass, pass), state(99, pass, pass)}, 0},
		"one better, the other worse": {[]registry.ReportPosture{state(1, pass, fail), state(1, fail, pass)}, 0},
	} {
		n := 0
		for i, a := range c.states {
			b := c.states[(i+1)%len(c.states)]
			last := &snapshot.Posture{UpdateAge: a.UpdateAge, DiskEncryption: a.DiskEncryption, ScreenLock: a.ScreenLock, Firewall: a.Firewall,
				MalwareProtection: a.MalwareProtection, HardwareKey: a.HardwareKey}
			if worse(snapshot.PostureRule{}, last, b) {
				n++
			}
		}
		if n != c.most {
			t.Errorf("%s: %d of %d are recorded at once, want %d", name, n, len(c.states), c.most)
		}
	}
}

// A used invitation brings the program no further keys in the name of who invited.
func TestAnInvitationBringsKeysOnce(t *testing.T) {
	used := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	e := new(snapshot.View).Edit()
	e.Put(&snapshot.Device{ID: "d", Invitation: snapshot.DeviceInvitation{UsedAt: used}})
	v := e.Publish(1, 1, used)
	for ago, want := range map[time.Duration]bool{time.Hour: true, 0: false, -time.Minute: false} {
		app := &snapshot.App{ID: "a", Approval: snapshot.Approval{RequestedAt: used.Add(-ago)}}
		if got := appOpen(v, "d", app); got != want {
			t.Errorf("keys asked for %s before the invitation was used: got %t", ago, got)
		}
	}
}
