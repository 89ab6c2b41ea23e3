// Package kubelet tests the one-snapshot rule against the writer that the kubelet itself
// uses for Secret, ConfigMap, projected and CSI volumes. It is a module of its own, so that
// the kubelet's dependencies stay out of the main one.
package kubelet

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"k8s.io/kubernetes/pkg/volume/util"

	"github.com/secret-entrypoint/secret-entrypoint/inject"
)

const (
	canary = "c4n4ry"
	loads  = 10_000 // over all shapes, at least
	keys   = 25

	minFlips = 200 // during the loads of a shape, at least
)

// volume is a mounted volume, and what of the kubelet writes it.
type volume struct {
	dir    string
	writer *util.AtomicWriter
}

func newVolume(tb testing.TB) *volume {
	tb.Helper()
	dir := tb.TempDir()
	writer, err := util.NewAtomicWriter(dir, "test")
	if err != nil {
		tb.Fatal(err)
	}
	return &volume{dir, writer}
}

// write makes a generation: every value has its number, sizes differ, and keys come and go.
func (v *volume) write(generation int) error {
	payload := map[string]util.FileProjection{}
	put := func(name, text string) { payload[name] = util.FileProjection{Data: []byte(text), Mode: 0o440} }
	for i := range keys {
		put(fmt.Sprintf("key-%02d", i), value(generation, i))
	}
	put(fmt.Sprintf("coming-%d", generation%3), value(generation, 0))
	put("db/password", value(generation, 1))
	put("db/user", value(generation, 2))
	put("json", fmt.Sprintf(`{"one": %q, "two": %q}`, value(generation, 3), value(generation, 4)))
	put("env", fmt.Sprintf("ENV_ONE=%s\nexport ENV_TWO=\"%s\"\n", value(generation, 5), value(generation, 6)))
	return v.writer.Write(payload, nil)
}

func value(generation, i int) string {
	return fmt.Sprintf("%d.%s%s", generation, canary, strings.Repeat("x", (generation*7+i*13)%300))
}

// flip writes generations as fast as it can until the test ends.
func (v *volume) flip(t *testing.T) *atomic.Int64 {
	var flips atomic.Int64
	var stop atomic.Bool
	done := make(chan error, 1)
	if err := v.write(0); err != nil {
		t.Fatal(err)
	}
	go func() {
		for !stop.Load() {
			if err := v.write(int(flips.Add(1))); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	t.Cleanup(func() {
		stop.Store(true)
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return &flips
}

// generationOf returns the one generation that all values are of.
func generationOf(names []string, lookup func(string) (string, bool)) (int, error) {
	first := -1
	for _, name := range names {
		text, ok := lookup(name)
		if !ok {
			return 0, fmt.Errorf("%s is missing", name)
		}
		number, _, _ := strings.Cut(text, ".")
		generation, err := strconv.Atoi(number)
		if err != nil {
			return 0, fmt.Errorf("%s is cut off", name)
		}
		if first < 0 {
			first = generation
		}
		if generation != first {
			return 0, fmt.Errorf("torn: %s is of generation %d, %s of %d", names[0], first, name, generation)
		}
	}
	return first, nil
}

func directory(path string) inject.Source {
	return inject.Source{Path: path}
}

// A shape is a way in which secrets of a volume are asked for, and what that gives.
type shape struct {
	name    string
	options inject.Options
	want    []string // the variables, each in every generation
	coming  bool     // and one of COMING_0 to 2, by the generation
}

func shapes(t *testing.T, v *volume) []shape {
	elsewhere := t.TempDir()
	for link, target := range map[string]string{
		"volume": v.dir,                              // to the volume
		"linked": filepath.Join(v.dir, "key-03"),     // to a key of it
		"chain":  filepath.Join(elsewhere, "linked"), // to a link to a key
	} {
		if err := os.Symlink(target, filepath.Join(elsewhere, link)); err != nil {
			t.Fatal(err)
		}
	}
	var all, references, environ []string
	for i := range keys {
		all = append(all, fmt.Sprintf("KEY_%02d", i))
		name := fmt.Sprintf("R%02d_KEY", i)
		references = append(references, name)
		environ = append(environ, name+"_FILE="+filepath.Join(v.dir, fmt.Sprintf("key-%02d", i)))
	}
	all = append(all, "JSON_ONE", "JSON_TWO", "ENV_ONE", "ENV_TWO")
	formats := []inject.FormatRule{{Glob: "json", Format: inject.FormatJSON}, {Glob: "env", Format: inject.FormatDotenv}}
	inner := []string{"DB_PASSWORD", "DB_USER"}
	db := inject.Source{Path: filepath.Join(v.dir, "db"), Prefix: "DB_"}
	linked := []string{"LINKED", "CHAIN"}
	return []shape{
		{"directory", inject.Options{Sources: []inject.Source{directory(v.dir)}, Formats: formats}, all, true},
		{"directory inside", inject.Options{Sources: []inject.Source{db}}, inner, false},
		{"references", inject.Options{Environ: environ}, references, false},
		{"everything at once", inject.Options{
			Environ: environ,
			Sources: []inject.Source{directory(v.dir), db, directory(elsewhere)},
			Formats: formats,
		}, append(append(append(append([]string{}, references...), all...), inner...), linked...), true},
		{"by a link to the volume", inject.Options{Sources: []inject.Source{directory(filepath.Join(elsewhere, "volume"))}, Formats: formats}, all, true},
		{"by links to keys", inject.Options{Sources: []inject.Source{directory(elsewhere)}}, linked, false},
	}
}

func TestNoTornSet(t *testing.T) {
	v := newVolume(t)
	all := shapes(t, v)
	flips := v.flip(t)
	each := (loads + len(all) - 1) / len(all)
	for _, s := range all {
		t.Run(s.name, func(t *testing.T) {
			before, seen, done := flips.Load(), map[int]bool{}, 0
			// A few flips would prove nothing: go on until there were some.
			for ; done < each || flips.Load() < before+minFlips; done++ {
				result, err := inject.Load(s.options)
				if err != nil {
					if strings.Contains(err.Error(), canary) {
						t.Fatal("the error shows a value")
					}
					t.Fatal(err)
				}
				generation, err := generationOf(s.want, result.Environment.Lookup)
				if err != nil {
					t.Fatal(err)
				}
				seen[generation] = true
				want := len(s.want)
				if s.coming {
					want++
					if _, ok := result.Environment.Lookup(fmt.Sprintf("COMING_%d", generation%3)); !ok {
						t.Fatalf("generation %d lacks its own key", generation)
					}
				}
				if got := len(result.Environment.Environ()); got != want {
					t.Fatalf("%d variables, want %d", got, want)
				}
			}
			t.Logf("%d loads during %d flips saw %d generations, none torn", done, flips.Load()-before, len(seen))
		})
	}
}

// A reader that opens each key by its name tears, or the test above would prove nothing.
func TestNaiveReaderTears(t *testing.T) {
	v := newVolume(t)
	v.flip(t)
	names := make([]string, keys)
	for i := range names {
		names[i] = fmt.Sprintf("key-%02d", i)
	}
	const most = 200_000
	for n := range most {
		_, err := generationOf(names, func(name string) (string, bool) {
			data, err := os.ReadFile(filepath.Join(v.dir, name))
			return string(data), err == nil
		})
		if err != nil && strings.HasPrefix(err.Error(), "torn") {
			t.Logf("torn after %d reads of %d keys", n+1, keys)
			return
		}
	}
	t.Errorf("not torn in %d reads: the flips are too slow to test anything", most)
}

// A deleted optional secret makes the kubelet flip the volume to an empty one.
func TestVolumeThatBecomesEmpty(t *testing.T) {
	v := newVolume(t)
	if err := v.write(1); err != nil {
		t.Fatal(err)
	}
	if err := v.writer.Write(map[string]util.FileProjection{}, nil); err != nil {
		t.Fatal(err)
	}
	o := inject.Options{Sources: []inject.Source{directory(v.dir)}}
	result, err := inject.Load(o)
	if err != nil || len(result.Exports) != 0 {
		t.Errorf("got %v, %v; want nothing", result.Exports, err)
	}
	o.Sources[0].NonEmpty = true
	if _, err = inject.Load(o); err == nil {
		t.Error("an empty volume that is waited for is no error")
	}
}

// With fsGroup the kubelet changes owner and mode of the old tree before each update.
func TestModeBurst(t *testing.T) {
	v := newVolume(t)
	if err := v.write(1); err != nil {
		t.Fatal(err)
	}
	generation, err := os.Readlink(filepath.Join(v.dir, "..data"))
	if err != nil {
		t.Fatal(err)
	}
	var stop atomic.Bool
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := 0; !stop.Load(); i++ {
			os.Chmod(filepath.Join(v.dir, generation, fmt.Sprintf("key-%02d", i%keys)), os.FileMode(0o440|i%2<<2))
		}
	}()
	for range 200 {
		// All the time is longer than any burst of the kubelet's: an error is right then, a torn set or a hang is not.
		result, err := inject.Load(inject.Options{Environ: []string{
			"A_KEY_FILE=" + filepath.Join(v.dir, "key-00"), "B_KEY_FILE=" + filepath.Join(v.dir, "key-01"),
		}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := generationOf([]string{"A_KEY", "B_KEY"}, result.Environment.Lookup); err != nil {
			t.Fatal(err)
		}
	}
	stop.Store(true)
	<-done
}
