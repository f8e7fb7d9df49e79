package breach

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/snapshot"
)

// Kind is what a deadline asks for.
type Kind string

// The kinds.
const (
	Tell    Kind = "tell"    // give a notice
	Correct Kind = "correct" // mend what was wrong
	Keep    Kind = "keep"    // leave something standing, or keep a record, at least until then
	Limit   Kind = "limit"   // when a delay or a power of somebody else ends
)

// Deadline is one clock that runs, or has run out, for an incident.
type Deadline struct {
	ID   string `json:"id"` // of the control or the term: "B-404-b", "BAA-R20"
	What string `json:"what"`
	Kind Kind   `json:"kind"`
	// Who must do it.
	Who    snapshot.Party    `json:"who"`
	To     snapshot.NoticeTo `json:"to,omitempty"`
	Region string            `json:"region,omitempty"` // media, State authorities
	// Trigger is what From is, in words.
	Trigger string    `json:"trigger"`
	From    time.Time `json:"from"`
	// Due is the last moment in time; LastDay the day that it ends, in the organisation's
	// time zone. A clock in hours has no LastDay.
	Due     time.Time `json:"due"`
	LastDay string    `json:"last_day,omitempty"`
	// Outer says that Due is an outer limit: without unreasonable delay comes first.
	Outer    bool           `json:"outer,omitempty"`
	Sets     string         `json:"sets"` // "law", "contract" or "policy"
	Citation hipaa.Citation `json:"citation"`
	Clause   string         `json:"clause,omitempty"` // contract: agreement and clause
	Done     time.Time      `json:"done,omitzero"`
	Late     bool           `json:"late,omitempty"` // not done in time, or done too late
	// DelayedUntil is how far a law-enforcement official's statement moved Due.
	DelayedUntil time.Time `json:"delayed_until,omitzero"`
	Notes        []string  `json:"notes,omitempty"`
}

// Key tells the deadlines of one incident apart.
func (d Deadline) Key() string {
	if d.Region != "" {
		return d.ID + ":" + d.Region
	}
	return d.ID
}

// Pending reports whether somebody must still do something by Due.
func (d Deadline) Pending() bool {
	return (d.Kind == Tell || d.Kind == Correct) && d.Done.IsZero()
}

// WithoutDelay is what stands beside every outer limit.
const WithoutDelay = "Without unreasonable delay comes first; the date is an outer limit"

// The thresholds of the rule.
const (
	secretaryFrom = 500 // individuals in all, or more (164.408(b))
	mediaAbove    = 500 // residents of one State or jurisdiction: more than (164.406(a))
	substituteAt  = 10  // individuals who cannot be reached, or more (164.404(d)(2)(ii))
)

// Discovery is when the organisation counts as having discovered the incident, and
// why (45 CFR 164.404(a)(2)). What a vendor knew counts if the vendor is its agent,
// or nobody has decided that it is not.
func Discovery(in *snapshot.Incident) (at time.Time, why string) {
	at, why = in.DiscoveredAt, "first known to the organisation"
	if in.DiscoveredBy == snapshot.VendorParty {
		switch in.Agent {
		case snapshot.No:
			at, why = in.ReportedAt, "told to the organisation by the vendor, which is not its agent"
		case snapshot.Yes:
			why = "known to the vendor, which is the organisation's agent"
		default:
			why = "known to the vendor; nobody has decided that it is not the organisation's agent"
		}
	}
	if !in.KnowableAt.IsZero() && in.KnowableAt.Before(at) {
		at, why = in.KnowableAt, "when the organisation would have known by reasonable diligence"
	}
	return at, why
}

// Due lists every clock of an incident, the earliest first: those that run, those
// that ran out and those that were met. Days are days of the calendar in zone; a
// limit "60 days after" ends with the end of the 60th day after the day of discovery.
// Hours are exact. What is not counted or not decided yet is taken as the case that
// is due earlier, and the deadline says so.
//
// An incident that is concluded to be no breach (Conclude) has the contract's clocks
// and the times to keep records only.
func Due(in *snapshot.Incident, c Contract, zone *time.Location, now time.Time) []Deadline {
	x := &reckoning{in: in, zone: zone, now: now}
	x.contract(c)
	if Conclude(in.Assessment).Breach {
		x.individuals()
		x.media()
		x.secretary()
		x.byVendor()
		x.california()
		x.delays()
	}
	x.corrections()
	x.records()
	slices.SortStableFunc(x.out, func(a, b Deadline) int {
		return cmp.Or(a.Due.Compare(b.Due), cmp.Compare(a.Key(), b.Key()))
	})
	return x.out
}

// reckoning is one incident being reckoned.
type reckoning struct {
	in   *snapshot.Incident
	zone *time.Location
	now  time.Time
	out  []Deadline
}

// law begins a deadline by a control's own clock, from a moment.
func (x *reckoning) law(control string, d Deadline, from time.Time) Deadline {
	clock, cite, err := LawClock(control)
	if err != nil {
		panic("breach: " + err.Error()) // the catalogue is compiled in; a test reads every clock
	}
	d.ID, d.Citation, d.From, d.Sets = control, cite, from, "law"
	last := dateOf(from, x.zone)
	if clock.Basis == "business" {
		last = last.plusBusiness(clock.Max)
	} else {
		last = last.plus(clock.Max, clock.Unit)
	}
	return x.on(d, last)
}

// on puts the last day.
func (x *reckoning) on(d Deadline, last date) Deadline {
	d.Due, d.LastDay = last.end(x.zone), last.String()
	if d.Outer {
		d.Notes = append([]string{WithoutDelay}, d.Notes...)
	}
	return d
}

// add judges a deadline and puts it on the list.
func (x *reckoning) add(d Deadline) {
	if d.Kind == Tell || d.Kind == Correct {
		d.Late = d.Done.After(d.Due) || d.Done.IsZero() && x.now.After(d.Due)
	}
	x.out = append(x.out, d)
}

// delayed moves what subpart D asks for as far as a law-enforcement official's
// statement does (164.412), if it was made before the time was over.
func (x *reckoning) delayed(d Deadline) Deadline {
	until := time.Time{}
	for _, delay := range x.in.Delays {
		if !delay.At.After(d.Due) && delayEnd(delay, x.zone).After(until) {
			until = delayEnd(delay, x.zone)
		}
	}
	if until.IsZero() {
		return d
	}
	d.DelayedUntil = until
	if until.After(d.Due) {
		d.Due, d.LastDay = until, dateOf(until, x.zone).String()
		d.Notes = append(d.Notes, "A law-enforcement official's statement delays it (164.412); when that ends it is due, with no days more")
	}
	if x.now.Before(until) {
		d.Notes = append(d.Notes, "It must not be given before the delay ends")
	}
	return d
}

// delayEnd is when a statement ceases to delay. An oral one counts for 30 days at most
// (164.412(b)).
func delayEnd(d snapshot.EnforcementDelay, zone *time.Location) time.Time {
	if d.Written {
		return d.Until
	}
	clock, _, err := LawClock("B-412-b")
	if err != nil {
		return d.At
	}
	most := dateOf(d.At, zone).plus(clock.Max, clock.Unit).end(zone)
	if !d.Until.IsZero() && d.Until.Before(most) {
		return d.Until
	}
	return most
}

// given is when the notices to an addressee were complete: all individuals told, where
// they are counted; and how many were.
func (x *reckoning) given(to snapshot.NoticeTo, region string, need int) (done time.Time, told int) {
	for _, n := range slices.SortedFunc(slices.Values(x.in.Notices), func(a, b snapshot.Notice) int { return a.At.Compare(b.At) }) {
		if n.To != to || region != "" && n.Region != region {
			continue
		}
		told += n.Count
		if done.IsZero() && (told >= need || to != snapshot.ToIndividuals && to != snapshot.ToSubstitute) {
			done = n.At
		}
	}
	return done, told
}

func (x *reckoning) counted() bool { return !x.in.Affected.CountedAt.IsZero() }

func (x *reckoning) individuals() {
	from, why := Discovery(x.in)
	need := max(x.in.Affected.Individuals, 1)
	done, told := x.given(snapshot.ToIndividuals, "", need)
	d := Deadline{What: "Notice to each individual", Kind: Tell, Who: snapshot.Organisation, To: snapshot.ToIndividuals, Trigger: "discovery: " + why, Outer: true, Done: done}
	if !x.counted() {
		d.Notes = append(d.Notes, "Nobody has counted the individuals yet")
	} else if done.IsZero() && told > 0 {
		d.Notes = append(d.Notes, fmt.Sprintf("%d of %d told", told, need))
	}
	if !x.counted() {
		// Without a count nobody can say that all were told.
		d.Done = time.Time{}
	}
	if x.counted() && x.in.Affected.Individuals == 0 {
		d.Done = x.in.Affected.CountedAt
		d.Notes = append(d.Notes, "Counted: nobody is affected")
	}
	x.add(x.delayed(x.law("B-404-b", d, from)))
	if slices.Contains(x.in.Overlays, snapshot.OverlayPart2) {
		x.add(x.delayed(x.law("X-P2-BREACH", with(d, "Notice to each individual, by the Part 2 program"), from)))
	}
	x.substitute()
}

// substitute is the posting for those who cannot be reached: it must stand for 90 days.
func (x *reckoning) substitute() {
	if x.in.Affected.Unreachable < substituteAt {
		return
	}
	posted, _ := x.given(snapshot.ToSubstitute, "", 0)
	d := Deadline{What: "Substitute notice stays posted, with the toll-free number", Kind: Keep, Who: snapshot.Organisation, To: snapshot.ToSubstitute,
		Trigger: "posting"}
	if posted.IsZero() {
		from, why := Discovery(x.in)
		due := x.law("B-404-b", Deadline{}, from)
		x.add(x.delayed(Deadline{ID: "B-404-d-2-ii", What: "Substitute notice is posted or given to the media, and stays for 90 days", Kind: Tell, Who: snapshot.Organisation,
			To: snapshot.ToSubstitute, Trigger: "discovery: " + why, From: from, Due: due.Due, LastDay: due.LastDay, Outer: true, Sets: "law",
			Citation: hipaa.MustCite("B-404-d-2-ii"), Notes: []string{WithoutDelay, fmt.Sprintf("%d individuals cannot be reached", x.in.Affected.Unreachable)}}))
		return
	}
	x.add(x.law("B-404-d-2-ii", d, posted))
}

func with(d Deadline, what string) Deadline {
	d.What, d.Notes = what, slices.Clone(d.Notes)
	return d
}

func (x *reckoning) media() {
	from, why := Discovery(x.in)
	d := Deadline{What: "Notice to prominent media of the State", Kind: Tell, Who: snapshot.Organisation, To: snapshot.ToMedia, Trigger: "discovery: " + why, Outer: true}
	for _, state := range slices.Sorted(maps.Keys(x.in.Affected.ByState)) {
		if x.in.Affected.ByState[state] <= mediaAbove {
			continue
		}
		each := with(d, d.What)
		each.Region = state
		each.Done, _ = x.given(snapshot.ToMedia, state, 0)
		each.Notes = append(each.Notes, fmt.Sprintf("%d residents: more than %d of one State or jurisdiction", x.in.Affected.ByState[state], mediaAbove))
		x.add(x.delayed(x.law("B-406", each, from)))
	}
	// Where it is not known of which States they are, one of them can be over the line.
	rest := x.in.Affected.Individuals
	for _, n := range x.in.Affected.ByState {
		rest -= n
	}
	if !x.counted() || rest > mediaAbove {
		d.Notes = append(d.Notes, "Residents are not counted by State yet: due if one State has more than 500")
		// What the media of a State that was counted were told does nothing for another.
		for _, n := range x.in.Notices {
			if n.To == snapshot.ToMedia && x.in.Affected.ByState[n.Region] <= mediaAbove && (d.Done.IsZero() || n.At.Before(d.Done)) {
				d.Done = n.At
			}
		}
		x.add(x.delayed(x.law("B-406", d, from)))
	}
}

func (x *reckoning) secretary() {
	from, why := Discovery(x.in)
	done, _ := x.given(snapshot.ToSecretary, "", 0)
	d := Deadline{Kind: Tell, Who: snapshot.Organisation, To: snapshot.ToSecretary, Done: done, Trigger: "discovery: " + why}
	if x.counted() && x.in.Affected.Individuals < secretaryFrom {
		if x.in.Affected.Individuals == 0 {
			return
		}
		d.What = "Entry in the year's log to the Secretary (fewer than 500 individuals)"
		clock, cite, err := LawClock("B-408-c")
		if err != nil {
			panic("breach: " + err.Error())
		}
		year, _, _ := time.Time(dateOf(from, x.zone)).Date()
		yearEnd := date(time.Date(year, time.December, 31, 0, 0, 0, 0, time.UTC))
		d.ID, d.Citation, d.From, d.Sets = "B-408-c", cite, yearEnd.end(x.zone), "law"
		d.Trigger = fmt.Sprintf("end of %d, the year of discovery", year)
		x.add(x.delayed(x.on(d, yearEnd.plus(clock.Max, clock.Unit))))
		return
	}
	d.What, d.Outer = "Notice to the Secretary (500 or more individuals)", true
	if !x.counted() {
		d.Notes = append(d.Notes, "Nobody has counted the individuals yet: taken as 500 or more")
	}
	d = x.delayed(x.law("B-408-b", d, from))
	// Contemporaneously: on the day on which the first individuals were told. That the
	// day is meant is our reading, and the earlier of two.
	if first := x.first(snapshot.ToIndividuals); !first.IsZero() {
		if day := dateOf(first, x.zone); day.end(x.zone).Before(d.Due) {
			d.Due, d.LastDay = day.end(x.zone), day.String()
			d.Notes = append(d.Notes, "Contemporaneously with the notice to individuals, which went out on "+day.String()+" (that the same day is meant is policy)")
		}
	}
	x.add(d)
}

func (x *reckoning) first(to snapshot.NoticeTo) (first time.Time) {
	for _, n := range x.in.Notices {
		if n.To == to && (first.IsZero() || n.At.Before(first)) {
			first = n.At
		}
	}
	return first
}

// byVendor is the business associate's own limit by law.
func (x *reckoning) byVendor() {
	if x.in.DiscoveredBy != snapshot.VendorParty {
		return
	}
	x.add(x.delayed(x.law("B-410-b", Deadline{What: "Business associate's notice to the organisation", Kind: Tell, Who: snapshot.VendorParty, To: snapshot.ToCoveredEntity,
		Trigger: "discovery by the vendor", Outer: true, Done: x.in.ReportedAt}, x.in.DiscoveredAt)))
}

// contract are the hours of the papers, from the vendor's discovery; no official's
// statement delays them.
func (x *reckoning) contract(c Contract) {
	if x.in.DiscoveredBy != snapshot.VendorParty {
		return
	}
	for _, k := range c.Clocks {
		clause := string(k.Agreement)
		if k.Clause != "" {
			clause += ", " + k.Clause
		}
		x.add(Deadline{ID: k.Term, What: k.What, Kind: Tell, Who: snapshot.VendorParty, To: snapshot.ToCoveredEntity, Trigger: "discovery by the vendor", From: x.in.DiscoveredAt,
			Due: k.Due(x.in.DiscoveredAt.In(x.zone)), Sets: "contract", Citation: k.Citation, Clause: clause, Done: x.in.ReportedAt})
	}
}

// california is the State's limit for facilities that are licensed there. It runs if
// somebody says so, or if residents of the State are affected and nobody said no; the
// law's own delay for investigations is not reckoned.
func (x *reckoning) california() {
	said := slices.Contains(x.in.Overlays, snapshot.OverlayCalifornia)
	if !said && x.in.Affected.ByState["US-CA"] == 0 {
		return
	}
	from, why := Discovery(x.in)
	done, _ := x.given(snapshot.ToState, "US-CA", 0)
	d := Deadline{What: "Report to the California Department of Public Health", Kind: Tell, Who: snapshot.Organisation, To: snapshot.ToState, Region: "US-CA",
		Trigger: "detection: " + why, Done: done,
		Notes: []string{"Business days: weekdays but the days on which State offices close, by a table that was not compared with the statute (" + Holidays.Text + "; " + string(Holidays.Verified) + ")"}}
	if !said {
		d.Notes = append(d.Notes, "It binds facilities that are licensed in California: if you are none, explain that when you close the incident")
	}
	x.add(x.law("X-CA-15BD", d, from))
	told := with(d, "Notice to the patients, by California's limit")
	told.To = snapshot.ToIndividuals
	told.Done, _ = x.given(snapshot.ToIndividuals, "", max(x.in.Affected.Individuals, 1))
	if !x.counted() {
		told.Done = time.Time{}
	}
	told.Region = ""
	x.add(x.law("X-CA-15BD", told, from))
}

func (x *reckoning) delays() {
	for _, s := range x.in.Delays {
		d := Deadline{ID: "B-412-a", What: "Delay by a law-enforcement official's written statement ends", Kind: Limit, Who: snapshot.Organisation,
			Trigger: "written statement", From: s.At, Sets: "law", Citation: hipaa.MustCite("B-412-a")}
		if !s.Written {
			d.ID, d.What, d.Trigger, d.Citation = "B-412-b", "Delay by a law-enforcement official's oral statement ends", "oral statement", hipaa.MustCite("B-412-b")
			d.Notes = append(d.Notes, "30 days at most, unless a written statement comes before")
		}
		d.Due = delayEnd(s, x.zone)
		d.LastDay = dateOf(d.Due, x.zone).String()
		x.add(d)
	}
}

func (x *reckoning) corrections() {
	from, why := Discovery(x.in)
	d := Deadline{What: "Correct the violation, for the defence of timely correction", Kind: Correct, Who: snapshot.Organisation, Trigger: why,
		Notes: []string{"The days begin on the first date itself; the Secretary may allow more"}}
	open := len(x.in.Corrections) == 0
	for _, c := range x.in.Corrections {
		open = open || c.DoneAt.IsZero()
		if c.DoneAt.After(d.Done) {
			d.Done = c.DoneAt
		}
	}
	if open {
		d.Done = time.Time{}
	}
	clock, cite, err := LawClock("G-410-c")
	if err != nil {
		panic("breach: " + err.Error())
	}
	d.ID, d.Citation, d.From, d.Sets = "G-410-c", cite, from, "law"
	x.add(x.on(d, dateOf(from, x.zone).plus(clock.Max, clock.Unit).plusDays(-1)))
	for i, c := range x.in.Corrections {
		x.add(Deadline{ID: CorrectionKey(i), What: "Corrective action: " + c.What, Kind: Correct, Who: snapshot.Organisation, Trigger: "set by the organisation", From: c.At, Due: c.DueAt,
			Sets: "policy", Citation: hipaa.Policy, Done: c.DoneAt})
	}
}

// CorrectionKey names the nth corrective action of an incident, from 0.
func CorrectionKey(n int) string { return fmt.Sprintf("correction-%d", n+1) }

// records are the times for which the record must be kept at least.
func (x *reckoning) records() {
	last := x.in.ClosedAt
	trigger := "closing of the incident, when its record was last in effect"
	if last.IsZero() {
		last, trigger = x.now, "now: the record is in effect while the incident is open"
	}
	keep := func(control, what, trigger string, from time.Time) {
		x.add(x.law(control, Deadline{What: what, Kind: Keep, Who: snapshot.Organisation, Trigger: trigger}, from))
	}
	keep("P-530-j-2", "Keep the record of the incident and of its notices", trigger, last)
	keep("S-316-b-2-i", "Keep the documentation of the security incident", trigger, last)
	if len(x.in.Sanctions) > 0 {
		keep("P-530-e-2", "Keep the record of sanctions", trigger, last)
	}
	when, what := x.in.OccurredAt, "when it happened"
	if when.IsZero() {
		when, what = x.in.DiscoveredAt, "discovery; nobody knows when it happened"
	}
	d := x.law("G-414", Deadline{What: "A penalty action can begin until then: keep the evidence", Kind: Limit, Who: snapshot.Organisation, Trigger: what}, when)
	x.add(d)
}
