package console

import (
	"math/rand/v2"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/snapshot"
)

type fruit struct {
	name, kind string
	n          int
}

func fruits(address string) (*visit, list) {
	var all []fruit
	for i := range 120 {
		all = append(all, fruit{"fruit " + strconv.Itoa(i), []string{"stone", "pome", "berry"}[i%3], i})
	}
	v := &visit{Request: httptest.NewRequest("GET", address, nil), Person: &snapshot.Person{}}
	return v, listOf(v, listing[fruit]{Caption: "Fruit", Rows: slices.Values(all), Sort: "-n",
		Columns: []column[fruit]{
			{Key: "name", Label: "Name", Cell: func(f fruit) cell { return cell{Text: f.name, Href: "/console/fruit"} }},
			{Key: "n", Label: "Number", Num: true, Cell: func(f fruit) cell { return text(number(f.n * 100)) }},
			{Key: "kind", Label: "Kind", Cell: func(f fruit) cell { return text(f.kind) }},
		},
		Filters: []filter[fruit]{{Key: "kind", Label: "Kind", Of: func(f fruit) []string { return []string{f.kind} }}},
		Search:  func(f fruit) string { return f.name }})
}

// What the address says is what the list shows, and every link keeps the rest of it.
func TestLists(t *testing.T) {
	for _, c := range []struct {
		address           string
		matching, pages   int
		first, before, on string
	}{
		{"/f", 120, 3, "fruit 119", "", "/f?page=2"},
		{"/f?page=3", 120, 3, "fruit 19", "/f?page=2", ""},
		{"/f?page=99", 120, 3, "fruit 19", "/f?page=2", ""},
		{"/f?page=-1&sort=n", 120, 3, "fruit 0", "", "/f?page=2&sort=n"},
		{"/f?kind=pome&sort=n", 40, 1, "fruit 1", "", ""},
		{"/f?kind=nothing", 0, 1, "", "", ""},
		{"/f?q=FRUIT+11&sort=name", 11, 1, "fruit 11", "", ""},
		{"/f?sort=nonsense", 120, 3, "fruit 0", "", "/f?page=2&sort=nonsense"},
	} {
		_, l := fruits(c.address)
		first := ""
		if len(l.Rows) > 0 {
			first = l.Rows[0][0].Text
		}
		if l.Matching != c.matching || l.Pages != c.pages || first != c.first || l.Before != c.before || l.After != c.on || l.Total != 120 {
			t.Errorf("%s: got %d of %d in %d pages, first %q, before %q, after %q", c.address, l.Matching, l.Total, l.Pages, first, l.Before, l.After)
		}
	}
	_, l := fruits("/f?kind=berry&q=fruit&sort=n&done=X")
	if got, want := l.Columns[1].Href, "/f?kind=berry&q=fruit&sort=-n"; got != want || l.Columns[1].Aria != "ascending" {
		t.Errorf("sorting leads to %q (%s), want %q", got, l.Columns[1].Aria, want)
	}
	if !l.Filters[0].Options[0].Chosen || l.Filters[0].Options[0].Value != "berry" || len(l.Filters[0].Options) != 3 || l.Clear != "/f" {
		t.Errorf("got %+v, clear %q", l.Filters, l.Clear)
	}
}

// The file has every row that matches, not the page's alone, and no cell is a formula.
func TestListsAsCSV(t *testing.T) {
	v, _ := fruits("/f?kind=stone&format=csv")
	w := httptest.NewRecorder()
	if v.raw == nil {
		t.Fatal("no file")
	}
	if err := v.raw(w); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(w.Body.String()), "\n")
	if len(lines) != 41 || strings.TrimSpace(lines[0]) != "name,n,kind" || !strings.Contains(w.Header().Get("Content-Disposition"), `filename="fruit.csv"`) {
		t.Errorf("got %d lines, %q, %q", len(lines), lines[0], w.Header())
	}
}

// A list for a vendor's person leads to none of the organisation's pages.
func TestListsLeadVendorsNowhereElse(t *testing.T) {
	v := &visit{Request: httptest.NewRequest("GET", "/console/my/team", nil), Person: &snapshot.Person{Vendor: "northwind"}}
	l := listOf(v, listing[string]{Caption: "Team", Rows: slices.Values([]string{"/console/people/x", "/console/my/team", "/portal/training", "/console/mystery"}),
		Columns: []column[string]{{Key: "a", Label: "A", Cell: func(s string) cell { return cell{Text: s, Href: s} }}}})
	var got []string
	for _, r := range l.Rows {
		got = append(got, r[0].Href)
	}
	if want := []string{"", "/console/my/team", "/portal/training", ""}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A page of a sorted list is what sorting all of it gives there.
func TestPartSortIsThePartOfASort(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 300 {
		n := r.IntN(2000)
		all := make([]int, n)
		for i := range all {
			switch r.IntN(3) {
			case 0:
				all[i] = i // much is in order already
			default:
				all[i] = r.IntN(1 + r.IntN(2000))
			}
		}
		want := slices.Sorted(slices.Values(all))
		from := r.IntN(n + 1)
		to := from + r.IntN(n-from+1)
		partSort(all, from, to, func(a, b int) int { return a - b })
		if !slices.Equal(all[from:to], want[from:to]) {
			t.Fatalf("%d to %d of %d are not what a sort gives", from, to, n)
		}
		slices.Sort(all)
		if !slices.Equal(all, want) {
			t.Fatal("something was lost")
		}
	}
}

func TestCompareFold(t *testing.T) {
	words := []string{"", "a", "A", "ab", "Ab", "AC", "b", "É", "é", "éa", "Éb", "z", "_", "aé", "AÉ", "[", "Z"}
	for _, a := range words {
		for _, b := range words {
			if got, want := compareFold(a, b), strings.Compare(strings.ToLower(a), strings.ToLower(b)); got != want {
				t.Errorf("%q, %q: got %d, want %d", a, b, got, want)
			}
		}
	}
}
