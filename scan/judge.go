package scan

import (
	"cmp"
	"math/bits"
	"slices"
	"sort"

	"github.com/sallyport/sallyport/deid/text"
)

// Why a candidate was found, in words. The list is closed, so that a report
// holds no word of a file.
const (
	byLabel   = "its label says so"
	byForm    = "its form"
	byProse   = "the words of a note around it"
	byColumn  = "the column's name and the form of its values"
	byValues  = "the form of the column's values"
	byKey     = "the key's name and the form of its values"
	andPerson = "other identifiers of a person stand near"
	andHealth = "the language of health care stands near"
)

// candidate is what may identify, before it is judged by its neighbours.
type candidate struct {
	start, end int // in the window
	category   text.Category
	place      string  // words of ours
	weight     float64 // its confidence with nothing near
	reason     string
	prose      bool // found by package text: one of many, and counted together
}

// class is which of a person's marks a category is. Two of one class do not
// make each other surer: two e-mail addresses are a list.
type class uint8

const (
	aName class = 1 << iota
	aBirth
	aNumber
	aContact
	aDetail
)

func classOf(c candidate) class {
	switch c.category {
	case text.Name:
		return aName
	case text.Date:
		if c.prose {
			return aDetail
		}
		return aBirth
	case text.SSN, text.MRN, text.HealthPlan, text.Account:
		return aNumber
	case text.Phone, text.Fax, text.Email, text.Address:
		return aContact
	default:
		return aDetail
	}
}

// near is the classes of other candidates, of weight, within reach.
func near(list []candidate, i int) class {
	at := list[i].start
	own := classOf(list[i])
	var seen class
	from := sort.Search(len(list), func(k int) bool { return list[k].start >= at-reach })
	for k := from; k < len(list) && list[k].start <= at+reach; k++ {
		if k != i && list[k].weight >= .15 {
			seen |= classOf(list[k])
		}
	}
	return seen &^ own &^ aDetail
}

// judge is the whole weighing: what a candidate is by itself, who else is
// near, and how much of the bedside. Each piece of evidence takes a share of
// the doubt that is left.
func judge(weight float64, own, others class, health float64) (float64, string) {
	c := weight
	why := ""
	doubt := func(share float64) { c += (1 - c) * share }
	persons := bits.OnesCount8(uint8(others &^ aContact))
	switch {
	case persons >= 2:
		doubt(.65)
	case own == aContact && others&^aContact == aName:
		doubt(.3) // a name with an address is anybody's: an author, a customer
	case persons == 1:
		doubt(.45)
	case others&aContact != 0:
		doubt(.15)
	}
	if others != 0 {
		why = andPerson
	}
	switch {
	case health >= 5:
		doubt(.5)
	case health >= 2:
		doubt(.3)
	case health >= 1:
		doubt(.1)
	}
	if health >= 2 {
		if why != "" {
			why += "; "
		}
		why += andHealth
	}
	return min(c, .99), why
}

// because puts a reason and what supports it together.
func because(reason, support string) string {
	if support == "" {
		return reason
	}
	return reason + "; " + support
}

func sortCandidates(list []candidate) {
	slices.SortStableFunc(list, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(b.end, a.end))
	})
}
