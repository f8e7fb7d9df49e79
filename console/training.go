package console

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/console/draw"
	"github.com/sallyport/sallyport/course"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/sheet"
	"github.com/sallyport/sallyport/snapshot"
)

// trainingPage is how everybody's training stands.
type trainingPage struct {
	Work    worked[*trainingSum]
	Tiles   []trainingTile
	Weeks   []trainingWeek
	Drawn   template.HTML // empty: nothing lapses soon
	Dates   string        // the address of the dates as CSV
	List    list
	Tracks  []trainingRow
	Courses []trainingCourseRow
	Own     string // the organisation's own course
}

// trainingTile is a number that leads to the people it counts.
type trainingTile struct {
	Label, Href string
	N           int
}

// trainingRow is how many people of a vendor, or on a track, stand how.
type trainingRow struct {
	Name    string
	Vendor  id.Vendor
	People  int
	By      map[string]int // of the training keys
	Soonest time.Time      // the next lapse
}

// N is how many stand so.
func (r trainingRow) N(key string) int { return r.By[key] }

// trainingWeek is how many lapse in a week.
type trainingWeek struct {
	From time.Time
	N    int
}

// trainingSum is the count over everybody, which is made beside.
type trainingSum struct {
	All     trainingRow
	Vendors []trainingRow
	Tracks  []trainingRow
	Weeks   []trainingWeek
}

type trainingCourseRow struct {
	*snapshot.Course
	Modules string
	Months  string
}

const trainingWeeks = 26

func (s *server) training(v *visit) (trainingPage, error) {
	var out trainingPage
	view, now := v.View, v.Now
	var err error
	out.Work, err = workOut(v, "training", fmt.Sprint(view.Version(), " ", day(now)), func(context.Context) (*trainingSum, error) { return sumTraining(view, now), nil })
	if err != nil {
		return out, err
	}
	out.Own = view.Settings.Course + " " + view.Settings.CourseVersion
	for _, c := range view.Courses.All() {
		out.Courses = append(out.Courses, trainingCourseRow{c, strings.Join(c.Covers, ", "), plural(c.RefreshMonths, "month")})
	}
	sum := out.Work.Answer
	if !out.Work.Known {
		sum = &trainingSum{}
	}
	for _, o := range trainingOptions() {
		if o.Value != trainingNot {
			out.Tiles = append(out.Tiles, trainingTile{o.Label, "/console/people?training=" + o.Value, sum.All.N(o.Value)})
		}
	}
	out.Weeks, out.Tracks = sum.Weeks, sum.Tracks
	var bars []draw.Bar
	total := 0
	for i, w := range sum.Weeks {
		class := "good"
		if i*7 < int(dueSoon/(24*time.Hour)) {
			class = "warn"
		}
		bars = append(bars, draw.Bar{Label: w.From.Format("2 Jan"), Tip: fmt.Sprintf("Week of %s: %s", day(w.From), plural(w.N, "lapse")), Parts: []draw.Part{{N: uint64(w.N), Class: class}}})
		total += w.N
	}
	if total > 0 {
		out.Drawn = draw.Bars("due", "Training that lapses, by week", fmt.Sprintf("%s in the next %d weeks; the table below has each week.", plural(total, "lapse"), trainingWeeks), 760, 150, bars)
	}
	out.Dates = with(v.URL, "format", "dates")
	if v.URL.Query().Get("format") == "dates" {
		rows := make([][]string, len(sum.Weeks))
		for i, w := range sum.Weeks {
			rows[i] = []string{w.From.Format(time.DateOnly), fmt.Sprint(w.N)}
		}
		asCSV(v, "training-due", []string{"week_from", "people"}, rows)
		return out, nil
	}
	count := func(key, label, state string) column[trainingRow] {
		return column[trainingRow]{Key: key, Label: label, Num: true, Cell: func(r trainingRow) cell { return text(number(r.By[state])) }}
	}
	out.List = listOf(v, listing[trainingRow]{
		Caption: "Training by vendor", Rows: slices.Values(sum.Vendors),
		Search: func(r trainingRow) string { return r.Name + "\n" + string(r.Vendor) },
		Columns: []column[trainingRow]{
			{Key: "vendor", Label: "Vendor", Cell: func(r trainingRow) cell {
				return cell{Text: r.Name, Href: "/console/people?vendor=" + url.QueryEscape(string(r.Vendor))}
			}},
			{Key: "people", Label: "People", Num: true, Cell: func(r trainingRow) cell { return text(number(r.People)) }},
			count("current", "Current", trainingCurrent), count("due", "Due", trainingDue), count("lapsed", "Lapsed", trainingLapsed),
			count("on-course", "On course", trainingCourse), count("none", "None", trainingNone),
			{Key: "next", Label: "Next lapse", Cell: func(r trainingRow) cell { return text(day(r.Soonest)) }, Sort: func(r trainingRow) string { return iso(r.Soonest) }},
		},
		Empty: empty{Title: "No vendor has people here", Text: "Once a vendor's people are enrolled, this shows who is trained, who is due and who may not work."},
	})
	return out, nil
}

// sumTraining walks everybody once.
func sumTraining(v *snapshot.View, now time.Time) *trainingSum {
	out := &trainingSum{All: trainingRow{By: map[string]int{}}}
	first := now.UTC().Truncate(24 * time.Hour)
	for i := range trainingWeeks {
		out.Weeks = append(out.Weeks, trainingWeek{From: first.AddDate(0, 0, 7*i)})
	}
	vendors, tracks := map[id.Vendor]*trainingRow{}, map[string]*trainingRow{}
	for _, p := range v.Persons.All() {
		if p.Vendor == "" || p.State == snapshot.Ended {
			continue
		}
		t := trainingOf(v, p, now)
		rows := []*trainingRow{&out.All, rowOf(vendors, p.Vendor), rowOf(tracks, p.Track)}
		for _, r := range rows {
			r.People++
			r.By[t.Key]++
			if t.Ends.After(now) && (r.Soonest.IsZero() || t.Ends.Before(r.Soonest)) {
				r.Soonest = t.Ends
			}
		}
		if i := int(t.Ends.Sub(first) / (7 * 24 * time.Hour)); t.Ends.After(now) && i < trainingWeeks && (t.Key == trainingCurrent || t.Key == trainingDue) {
			out.Weeks[i].N++
		}
	}
	for k, r := range vendors {
		r.Vendor, r.Name = k, vendorName(v, k)
		out.Vendors = append(out.Vendors, *r)
	}
	slices.SortFunc(out.Vendors, func(a, b trainingRow) int { return cmp.Compare(a.Name, b.Name) })
	for k, r := range tracks {
		r.Name = "No track assigned"
		if t, ok := course.TrackOf(k); ok {
			r.Name = t.Title
		} else if k != "" {
			r.Name = k
		}
		out.Tracks = append(out.Tracks, *r)
	}
	slices.SortFunc(out.Tracks, func(a, b trainingRow) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

func rowOf[K comparable](m map[K]*trainingRow, key K) *trainingRow {
	if m[key] == nil {
		m[key] = &trainingRow{By: map[string]int{}}
	}
	return m[key]
}

// asCSV answers with a table as CSV, so that no cell is run as a formula.
func asCSV(v *visit, name string, head []string, rows [][]string) {
	v.instead(func(w http.ResponseWriter) error {
		columns := make([]sheet.Column, len(head))
		for i, h := range head {
			columns[i] = sheet.Column{Name: h, Text: true}
		}
		out := make([]map[string]json.RawMessage, len(rows))
		for i, row := range rows {
			out[i] = map[string]json.RawMessage{}
			for j, x := range row {
				raw, err := json.Marshal(x)
				if err != nil {
					return err
				}
				out[i][head[j]] = raw
			}
		}
		asFile(w, "text/csv; charset=utf-8", name+".csv")
		return sheet.Write(w, columns, out)
	})
}

func (s *server) trainingCertificate(v *visit) (any, error) {
	return nil, s.pass(v, "/v1/trainings/"+url.PathEscape(v.PathValue("id"))+"/certificate", "training-"+v.PathValue("id")+".pdf")
}

func (s *server) trainingBadge(v *visit) (any, error) {
	return nil, s.pass(v, "/v1/trainings/"+url.PathEscape(v.PathValue("id"))+"/badge", "training-"+v.PathValue("id")+".jwt")
}

func (s *server) trainingExport(v *visit) (any, error) {
	switch v.URL.Query().Get("as") {
	case "", "csv":
		return nil, s.pass(v, "/v1/training-export?format=csv", "trainings.csv")
	case "xapi":
		return nil, s.pass(v, "/v1/training-export?format=xapi", "trainings.json")
	}
	return nil, problem.BadField("as", "is neither csv nor xapi", "Choose one of them on the page Training")
}
