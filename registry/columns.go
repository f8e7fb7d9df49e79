package registry

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/snapshot"
)

// Column is a field by which a record of a noun can be written down and made again.
type Column struct {
	Name string
	Text bool // a text or a time; else JSON
}

// fileColumns are about the file that comes along with an act: no record has them, and a file
// is exported, and stored, by itself.
var fileColumns = []string{"media_type", "size", "content", "scanned_by"}

// Columns are the fields of the act that makes a record of the noun, and of an
// agreement its signatures; ok is false for a noun that no one act makes.
func Columns(noun snapshot.Noun) (columns []Column, ok bool) {
	kind, ok := makers[noun]
	if !ok {
		return nil, false
	}
	spec, ok := Lookup(kind)
	if !ok {
		return nil, false
	}
	act := spec.New()
	_, brings := act.(detaching)
	for _, f := range reflect.VisibleFields(reflect.TypeOf(act).Elem()) { // those of embedded structs, too
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" || name == "-" || brings && slices.Contains(fileColumns, name) {
			continue
		}
		columns = append(columns, Column{Name: name, Text: f.Type.Kind() == reflect.String || f.Type == reflect.TypeFor[time.Time]()})
	}
	if noun == snapshot.NounAgreement {
		columns = append(columns, Column{Name: "signatures"})
	}
	return columns, true
}

// Portable is what of a record makes it again elsewhere: the fields of Columns that are
// set, in the words of the act. Approvals are not among them: whoever takes a registry
// over decides anew.
func Portable(r snapshot.Record) (map[string]json.RawMessage, error) {
	raw, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	var all, out map[string]json.RawMessage
	if err := json.Unmarshal(raw, &all); err != nil {
		return nil, err
	}
	columns, ok := Columns(r.Noun())
	if !ok {
		return all, nil
	}
	out = map[string]json.RawMessage{}
	for _, c := range columns {
		if v, ok := all[c.Name]; ok {
			out[c.Name] = v
		}
	}
	if a, ok := r.(*snapshot.Agreement); ok {
		// As agreement.sign takes them: who recorded them is the registry's to say.
		type signature struct {
			Party  snapshot.Party `json:"party"`
			Signer string         `json:"signer"`
			At     time.Time      `json:"at"`
		}
		list := []signature{}
		for _, s := range a.Signatures {
			list = append(list, signature{s.Party, s.Signer, s.At})
		}
		if out["signatures"], err = json.Marshal(list); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Importable lists the nouns that can be made again from their columns, each after those
// that it names.
var Importable = []snapshot.Noun{snapshot.NounVendor, snapshot.NounPerson, snapshot.NounRole, snapshot.NounConnector, snapshot.NounDevice, snapshot.NounApp,
	snapshot.NounAgreement, snapshot.NounEngagement, snapshot.NounDetermination, snapshot.NounAssessment, snapshot.NounCertification,
	snapshot.NounTraining, snapshot.NounGrant, snapshot.NounHold}
