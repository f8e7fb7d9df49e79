// Package need says what a test needs besides Go: a database, Node, sample
// data, a program. Where it is missing the test is skipped, so that `go test
// ./...` works on a machine with nothing but Go; where SALLYPORT_CI is 1 the
// test fails instead, so that nothing is left out unseen.
package need

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// The variables of the environment that say where things are.
const (
	CIVar       = "SALLYPORT_CI"            // 1: nothing may be missing
	DataVar     = "SALLYPORT_DATA"          // the folder of public sample data
	PostgresVar = "SALLYPORT_TEST_POSTGRES" // the URL of a PostgreSQL database in which schemas may be made
	NodeVar     = "SALLYPORT_NODE_PARTS"    // a folder with the node_modules of internal/hospitaltest/node
	ProgramVar  = "SALLYPORT_PROGRAM"       // a sallyport program that is built already
	dataFolder  = "../shared/data"          // beside the module, where DataVar is not set
)

// Skip ends a test that lacks something. In CI it fails.
func Skip(t testing.TB, lacks string) {
	t.Helper()
	if os.Getenv(CIVar) == "1" {
		t.Fatalf("%s; %s=1 allows no test to be left out", lacks, CIVar)
	}
	t.Skip(lacks)
}

// Data is the folder of public sample data: what SALLYPORT_DATA names, or else
// ../shared/data beside the module.
func Data(t testing.TB) string {
	t.Helper()
	dir := os.Getenv(DataVar)
	if dir == "" {
		dir = filepath.Join(moduleRoot(t), filepath.FromSlash(dataFolder))
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		Skip(t, "there is no sample data in "+dir+": set "+DataVar+" to the folder that holds it")
	}
	return dir
}

// DataFile is a file or folder of the sample data.
func DataFile(t testing.TB, name string) string {
	t.Helper()
	file := filepath.Join(Data(t), filepath.FromSlash(name))
	if _, err := os.Stat(file); err != nil {
		Skip(t, "the sample data has no "+name+": set "+DataVar+" to a folder that does")
	}
	return file
}

// Postgres is the URL of a PostgreSQL database that tests may make schemas in.
func Postgres(t testing.TB) string {
	t.Helper()
	where := os.Getenv(PostgresVar)
	if where == "" {
		Skip(t, PostgresVar+" is not set to the URL of a PostgreSQL database")
	}
	return where
}

// Node is the folder of the Node parts that others wrote, installed with
// `npm ci` from internal/hospitaltest/node/package-lock.json.
func Node(t testing.TB) string {
	t.Helper()
	Tool(t, "node")
	dir := os.Getenv(NodeVar)
	if dir == "" {
		Skip(t, NodeVar+" is not set to the folder in which `npm ci` was run with internal/hospitaltest/node/package-lock.json")
	}
	if info, err := os.Stat(filepath.Join(dir, "node_modules")); err != nil || !info.IsDir() {
		Skip(t, NodeVar+" names "+dir+", which has no node_modules: run `npm ci --ignore-scripts` there")
	}
	return dir
}

// Tool is the path of a program.
func Tool(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		Skip(t, "the program "+name+" is not on the PATH")
	}
	return path
}

// Program is the sallyport program as its users get it: what SALLYPORT_PROGRAM names, or
// else it is built.
func Program(t testing.TB) string {
	t.Helper()
	if built := os.Getenv(ProgramVar); built != "" {
		return built
	}
	out := filepath.Join(t.TempDir(), "sallyport")
	cmd := exec.Command("go", "build", "-o", out, "github.com/sallyport/sallyport/cmd/sallyport")
	cmd.Env = append(os.Environ(), "GOFLAGS=", "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building sallyport: %v\n%s", err, text)
	}
	return out
}

// AgeVersion is the release of the age tool that sealed releases are tested with.
const AgeVersion = "v1.3.2"

// Age is the folder of the stock age tool, age and age-keygen, built from its own
// module: what a vendor gets who installs it.
func Age(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	build := exec.Command(Tool(t, "go"), "install", "filippo.io/age/cmd/...@"+AgeVersion)
	build.Dir = dir // outside the module, whose versions are not the tool's
	build.Env = append(os.Environ(), "GOBIN="+dir, "GOFLAGS=", "CGO_ENABLED=0", "GODEBUG=")
	if out, err := build.CombinedOutput(); err != nil {
		Skip(t, "the age tool "+AgeVersion+" cannot be built here: "+string(out))
	}
	return dir
}

// moduleRoot is the folder of go.mod, above the folder in which a test runs.
func moduleRoot(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		up := filepath.Dir(dir)
		if up == dir {
			t.Fatal("no go.mod above the folder of the test")
		}
		dir = up
	}
}
