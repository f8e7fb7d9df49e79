package snapshot

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/sallyport/sallyport/id"
)

// house are the records of many vendors with fifty people each, in the order in which
// they come to be.
func house(vendors int) []Record {
	var out []Record
	for n := range vendors {
		v := id.Vendor(fmt.Sprint("vendor-", n))
		e := id.Engagement(fmt.Sprint("work-", n))
		out = append(out, &Vendor{ID: v}, &Engagement{ID: e, Vendor: v})
		for i := range 3 {
			out = append(out, &App{ID: id.App(fmt.Sprint("app-", n, "-", i)), Vendor: v})
		}
		for i := range 50 {
			key := fmt.Sprint(n, "-", i)
			p, d := id.Person("person-"+key), id.Device("device-"+key)
			out = append(out, &Person{ID: p, Vendor: v, Login: Login{Connector: "idp", Subject: key}, Passkeys: []Passkey{{ID: []byte(key)}}},
				&Training{ID: id.Training("training-" + key), Person: p},
				&Device{ID: d, Vendor: v, Owner: p, Key256: KeyDigest(key)},
				&Grant{ID: id.Grant("grant-" + key), App: id.App(fmt.Sprint("app-", n, "-", i%3)), Engagement: e, Person: p, Devices: []id.Device{d}},
				&Session{ID: id.Session("session-" + key), Person: p, Secret256: key})
		}
	}
	return out
}

func open(records []Record, each int) *View {
	v := new(View)
	for i := 0; i < len(records); i += each {
		e := v.Edit()
		for _, r := range records[i:min(i+each, len(records))] {
			e.Put(r)
		}
		v = e.Publish(uint64(i), 1, time.Time{})
	}
	return v
}

// BenchmarkOpen is what the registry's view costs when it is read: at once, as of the
// past, or as many acts at a time as the registry reads.
func BenchmarkOpen(b *testing.B) {
	for _, vendors := range []int{100, 1000} {
		records := house(vendors)
		for _, each := range []int{len(records), 500} {
			b.Run(fmt.Sprintf("vendors=%d/at-a-time=%d", vendors, each), func(b *testing.B) {
				var before, after runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&before)
				var v *View
				for b.Loop() {
					v = open(records, each)
				}
				runtime.GC()
				runtime.GC()
				runtime.ReadMemStats(&after)
				b.ReportMetric((float64(after.HeapAlloc)-float64(before.HeapAlloc))/1e6, "MB-kept")
				runtime.KeepAlive(v)
			})
		}
	}
}

// BenchmarkPublish is what one act costs the registry's view, where there is little and
// where there is much; and about one of very many people of one house.
func BenchmarkPublish(b *testing.B) {
	for _, vendors := range []int{20, 1000} {
		v := open(house(vendors), 1<<30)
		many := 50 * vendors
		e := v.Edit()
		for i := range many {
			e.Put(&Person{ID: id.Person(fmt.Sprint("own-", i)), Directory: Directory{Connector: "scim"}})
		}
		v = e.Publish(1, 1, now)
		for _, x := range []struct {
			what   string
			record func(key string, i int) Record
		}{
			{"session", func(key string, i int) Record {
				return &Session{ID: id.Session("session-" + key), Person: id.Person("person-" + key), Secret256: key, SeenAt: now}
			}},
			{"new-session", func(key string, i int) Record {
				return &Session{ID: id.Session(fmt.Sprint("new-", i)), Person: id.Person("person-" + key), Secret256: fmt.Sprint("new-", i)}
			}},
			{"grant", func(key string, i int) Record {
				return &Grant{ID: id.Grant("grant-" + key), App: "app-0-1", Engagement: "work-0", Person: id.Person("person-" + key), Devices: []id.Device{id.Device("device-" + key)}}
			}},
			{"own-person", func(key string, i int) Record {
				return &Person{ID: id.Person(fmt.Sprint("own-", i%many)), Directory: Directory{Connector: "scim"}}
			}},
		} {
			b.Run(fmt.Sprintf("%s/people=%d", x.what, many), func(b *testing.B) {
				b.ReportAllocs()
				v, i := v, 0
				for b.Loop() {
					e := v.Edit()
					e.Put(x.record(fmt.Sprint(i%vendors, "-", i%50), i))
					v = e.Publish(2, 2, now)
					i++
				}
			})
		}
	}
}

// BenchmarkFind is what a decision looks up first.
func BenchmarkFind(b *testing.B) {
	v := open(house(1000), 1<<30)
	b.Run("device-by-key", func(b *testing.B) {
		for b.Loop() {
			if _, ok := v.DeviceByKey("17-17"); !ok {
				b.Fatal("not found")
			}
		}
	})
	b.Run("get", func(b *testing.B) {
		for b.Loop() {
			if _, ok := v.Grants.Get("grant-17-17"); !ok {
				b.Fatal("not found")
			}
		}
	})
	b.Run("holds", func(b *testing.B) {
		on := Subject{Noun: NounDevice, ID: "device-17-17"}
		for b.Loop() {
			if v.HoldsOn(on) != nil {
				b.Fatal("found")
			}
		}
	})
	b.Run("grants-of-app", func(b *testing.B) {
		for b.Loop() {
			if v.GrantsOfApp("app-17-1") == nil {
				b.Fatal("not found")
			}
		}
	})
}
