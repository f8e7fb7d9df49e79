package console

// Shown is a screen as tests go through them.
type Shown struct {
	Name, Pattern string
	Ours, Theirs  bool
	Example       any // page[T]: what the template gets
}

// Screens are all.
func Screens() []Shown {
	var out []Shown
	for _, x := range screens() {
		out = append(out, Shown{x.Name, x.Pattern, x.For == ours || x.For == everyone, x.For == theirs || x.For == everyone, x.example})
	}
	return out
}
