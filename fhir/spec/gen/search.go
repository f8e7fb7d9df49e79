package main

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

type searchParameter struct {
	ID, URL, Code, Type, Expression string
	Base, Target                    []string
	Component                       []struct{ Definition, Expression string }
}

// param is what a search parameter reads of one resource type.
type param struct {
	code, kind string
	paths      []string // element paths, without the resource's name
	targets    []string
	components []component
	opaque     string // why not known, or ""
}

type component struct {
	code, kind string
	paths      []string
}

// writeSearch reduces each search parameter to the elements that it reads, one
// line a parameter and resource type. A parameter that cannot be reduced is
// written as opaque, which a caller must refuse.
func (m *model) writeSearch(b *bytes.Buffer, all []searchParameter) (string, error) {
	byURL := map[string]searchParameter{}
	for _, p := range all {
		byURL[p.URL] = p
	}
	lines := map[string]map[string]*param{}
	defined, opaque := 0, 0
	for _, p := range all {
		if strings.HasPrefix(p.ID, "example") {
			continue // examples of a SearchParameter resource, not parameters of R4
		}
		defined++
		anyOpaque := false
		for _, resource := range p.Base {
			got := m.reduce(p, resource, byURL)
			anyOpaque = anyOpaque || got.opaque != ""
			if lines[resource] == nil {
				lines[resource] = map[string]*param{}
			}
			if old := lines[resource][p.Code]; old != nil {
				got = merge(old, got) // one code defined twice for one resource: it reads both
			}
			lines[resource][p.Code] = got
		}
		if anyOpaque {
			opaque++
		}
	}
	for _, resource := range sortedKeys(lines) {
		fmt.Fprintf(b, "search %s\n", resource)
		for _, code := range sortedKeys(lines[resource]) {
			p := lines[resource][code]
			fmt.Fprintf(b, " %s %s", code, p.kind)
			if p.opaque != "" {
				fmt.Fprintf(b, " opaque\n")
				continue
			}
			fmt.Fprintf(b, " %s", strings.Join(p.paths, ","))
			if p.kind == "reference" {
				fmt.Fprintf(b, " >%s", m.targetList(p.targets))
			}
			for _, c := range p.components {
				fmt.Fprintf(b, " &%s:%s:%s", c.code, c.kind, strings.Join(c.paths, ","))
			}
			b.WriteByte('\n')
		}
	}
	return fmt.Sprintf("%d search parameters, %d opaque (%.1f %% reduced)", defined, opaque, 100*float64(defined-opaque)/float64(defined)), nil
}

// targetList writes "*" for a reference to anything: R4 spells out every resource.
func (m *model) targetList(targets []string) string {
	concrete := 0
	for _, t := range m.types {
		if t.Kind == "resource" && !t.Abstract {
			concrete++
		}
	}
	if len(targets) == 0 || len(targets) >= concrete-1 { // R4's own lists leave out Parameters
		return "*"
	}
	return strings.Join(targets, ",")
}

func merge(a, b *param) *param {
	a.paths = tidy(append(a.paths, b.paths...))
	a.targets = tidyNames(append(a.targets, b.targets...))
	if a.opaque == "" {
		a.opaque = b.opaque
	}
	if a.kind != b.kind {
		a.opaque = "defined twice with different types"
	}
	return a
}

func (m *model) reduce(p searchParameter, resource string, byURL map[string]searchParameter) *param {
	out := &param{code: p.Code, kind: p.Type}
	if p.Expression == "" {
		out.opaque = "no expression"
		return out
	}
	root := []node{{path: "", typ: resource}}
	r := &reducer{m: m, resource: resource}
	nodes, err := r.run(p.Expression, root)
	if err != nil {
		out.opaque = err.Error()
		return out
	}
	if p.Type == "composite" {
		for _, c := range p.Component {
			def, ok := byURL[c.Definition]
			if !ok {
				out.opaque = "component is not defined"
				return out
			}
			cr := &reducer{m: m, resource: resource}
			leaves, err := cr.run(c.Expression, nodes)
			if err != nil {
				out.opaque = err.Error()
				return out
			}
			cr.read(leaves)
			out.components = append(out.components, component{def.Code, def.Type, tidy(cr.reads)})
			r.reads = append(r.reads, cr.reads...)
		}
	} else {
		r.read(nodes)
	}
	out.paths = tidy(r.reads)
	if len(out.paths) == 0 || slices.Contains(out.paths, "") {
		out.opaque = "reads nothing that can be named"
	}
	if p.Type == "reference" {
		allowed := p.Target
		for _, n := range nodes {
			for _, t := range n.targets {
				if len(allowed) == 0 || slices.Contains(allowed, t) || slices.Contains(allowed, "Resource") {
					out.targets = append(out.targets, t)
				}
			}
			if n.targets == nil {
				out.targets = append(out.targets, allowed...)
			}
		}
		out.targets = tidyNames(out.targets)
		if slices.Contains(out.targets, "Resource") {
			out.targets = nil // any
		}
	}
	return out
}

// tidy sorts paths and drops those below another: reading an element reads all of it.
func tidy(paths []string) []string {
	paths = tidyNames(paths)
	return slices.DeleteFunc(paths, func(p string) bool {
		return slices.ContainsFunc(paths, func(q string) bool { return strings.HasPrefix(p, q+".") })
	})
}

func tidyNames(names []string) []string {
	names = slices.Clone(names)
	slices.Sort(names)
	return slices.Compact(names)
}
