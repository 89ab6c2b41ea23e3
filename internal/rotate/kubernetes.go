package rotate

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/secret-entrypoint/secret-entrypoint/internal/rotate/dirfd"
	"github.com/secret-entrypoint/secret-entrypoint/internal/secretfile"
)

// Kubernetes is a Secret as a target. The switch is one patch that carries the resourceVersion that
// was read, so it fails if anyone else has changed the Secret since. The same patch sets an
// annotation, which tells after a kill or a lost answer whether the patch was made.
type Kubernetes struct {
	given     string
	schemaDir string
	beside    *dirfd.Dir
	namespace string
	name      string
	context   string
	kubectl   tool

	object    kubeSecret
	keys      map[string]string // the key in the data, by variable
	patch     []byte
	mark      string // the value of rotationAnnotation that the patch sets
	digestKey []byte // see digest.go
	backup    string
	undoing   bool
}

// rotationAnnotation names the rotation that wrote a Secret last.
const rotationAnnotation = "secret-rotate/rotation"

// NewKubernetes returns the target for NAMESPACE/SECRET. Records and backups go into the directory
// beside.
func NewKubernetes(place, beside string) (*Kubernetes, error) {
	namespace, name, _ := strings.Cut(place, "/")
	if !isObjectName(namespace) || !isObjectName(name) {
		return nil, errors.New("must be NAMESPACE/SECRET")
	}

	return &Kubernetes{
		given:     place,
		schemaDir: beside,
		namespace: namespace,
		name:      name,
		kubectl:   tool{name: "kubectl"},
	}, nil
}

// isObjectName reports whether Kubernetes may have an object of this name: a DNS subdomain.
func isObjectName(name string) bool {
	odd := strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '.'
	})
	return name != "" && !odd && !strings.ContainsRune("-.", rune(name[0]))
}

func (k *Kubernetes) Kind() string       { return "k8s" }
func (k *Kubernetes) Beside() *dirfd.Dir { return k.beside }

// Place includes kubectl's context: a Secret of the same name in another cluster is another Secret.
func (k *Kubernetes) Place() string {
	if k.context == "" {
		return k.given
	}
	return k.given + "@" + k.context
}

// Notes implements Target.
func (k *Kubernetes) Notes() []string {
	return []string{
		"the kubelet updates volumes within about a minute, and at once in pods that get an " +
			"annotation; variables by secretKeyRef need a rollout",
	}
}

// Open implements Target.
func (k *Kubernetes) Open() (err error) {
	if k.beside, err = openLocked(k.schemaDir); err != nil {
		return err
	}

	out, err := k.kubectl.run(nil, "config", "current-context")
	switch {
	case err == nil:
		k.context = strings.TrimSpace(string(out))
	case strings.Contains(err.Error(), "not on PATH"):
		k.Close()
		return err
	}
	return nil // inside a pod there is no context
}

// InterruptedBy is called before Open.
func (k *Kubernetes) InterruptedBy(interrupted func() bool) { k.kubectl.interrupted = interrupted }

func (k *Kubernetes) Close() { k.beside.Close() }

// fetch reads the Secret as the server sends it: `kubectl get --output json` leaves out the managed
// fields, and the option that shows them is younger than some versions of kubectl in use.
func (k *Kubernetes) fetch() error {
	path := fmt.Sprintf("/api/v1/namespaces/%s/secrets/%s", k.namespace, k.name)
	out, err := k.kubectl.run(nil, "get", "--raw", path)
	if err != nil {
		return err
	}

	k.object = kubeSecret{raw: out}
	err = json.Unmarshal(out, &k.object)
	if err != nil || k.object.Metadata.Name != k.name {
		return errors.New("kubectl get --raw: its output is not that Secret")
	}
	return nil
}

// Recover implements Target.
func (k *Kubernetes) Recover(begun *Record) (Recovery, error) {
	if err := removePartials(k.beside, k.backupBase()); err != nil {
		return NothingLeft, err
	}
	if begun == nil {
		return NothingLeft, nil
	}
	if err := k.fetch(); err != nil {
		return NothingLeft, err
	}

	expected := markOf(begun.Backup, begun.Outcome == OutcomeUndoing)
	if k.object.Metadata.Annotations[rotationAnnotation] == expected {
		return Finished, nil
	}
	return Undone, nil
}

// markOf is the value of rotationAnnotation for the rotation that made a backup.
func markOf(backup string, undone bool) string {
	text := strings.TrimPrefix(filepath.Base(backup), ".")
	if undone {
		text += ".undone"
	}
	return text
}

func (k *Kubernetes) backupBase() string {
	return k.namespace + "-" + k.name
}

// Read implements Target.
func (k *Kubernetes) Read() (all []Entry, err error) {
	if err := k.fetch(); err != nil {
		return nil, err
	}
	k.digestKey = k.object.digestKey()
	k.keys = make(map[string]string)

	var errs []error
	for _, key := range slices.Sorted(maps.Keys(k.object.Data)) {
		name := variable(key)
		if other := k.keys[name]; other != "" {
			errs = append(errs, fmt.Errorf("%s: the keys %s and %s both give %s: remove one",
				k.given, other, key, name))
		}
		k.keys[name] = key

		value, _ := split(k.object.Data[key])
		all = append(all, Entry{
			Name:  name,
			Where: key,
			Value: Secret(value),
			Since: k.object.Metadata.CreationTimestamp,
		})
		k.kubectl.secrets = append(k.kubectl.secrets, Secret(k.object.Data[key]), Secret(value))
	}
	return all, errors.Join(errs...)
}

// split parts a value from the newlines at its end.
func split(data []byte) (value, tail string) {
	value = string(secretfile.Value(data))
	return value, string(data[len(value):])
}

// keyOf returns the key in the Secret's data that a change is about, and the newlines that its
// value ends in.
func (k *Kubernetes) keyOf(c Change) (key, tail string) {
	like := k.keys[c.Name]
	switch {
	case like != "":
		key = like
	case k.keys[c.After] != "":
		like = k.keys[c.After]
		key = previousFile(like)
	default:
		return c.Name, ""
	}

	_, tail = split(k.object.Data[like])
	return key, tail
}

// Stage implements Target.
func (k *Kubernetes) Stage(changes []Change) (string, error) {
	manifest, err := k.object.manifest()
	if err != nil {
		return "", err
	}
	if k.backup, err = backupFile(k.beside, k.backupBase(), manifest); err != nil {
		return "", err
	}
	if k.digestKey == nil {
		k.digestKey = random(digestKeySize)
	}

	data := make(map[string]any)
	for _, c := range changes {
		key, tail := k.keyOf(c)
		k.kubectl.secrets = append(k.kubectl.secrets, c.New+Secret(tail), c.New)
		if c.Reason == Dropped {
			data[key] = nil
		} else {
			data[key] = []byte(string(c.New) + tail)
		}
	}
	return k.beside.Join(k.backup), k.prepare(data, false)
}

// prepare makes the patch (RFC 7396: null removes).
func (k *Kubernetes) prepare(data map[string]any, undo bool) (err error) {
	k.mark = markOf(k.backup, undo)
	k.patch, err = json.Marshal(map[string]any{
		"metadata": map[string]any{
			"resourceVersion": k.object.Metadata.ResourceVersion,
			"annotations": map[string]string{
				rotationAnnotation:  k.mark,
				digestKeyAnnotation: encodeDigestKey(k.digestKey),
			},
		},
		"data": data,
	})
	return err
}

// StageUndo implements Target.
func (k *Kubernetes) StageUndo() error {
	before := k.object.Data
	if err := k.fetch(); err != nil {
		return err
	}
	if k.object.Metadata.Annotations[rotationAnnotation] != markOf(k.backup, false) {
		return fmt.Errorf("%s was changed by another rotation since: it is left as it is", k.given)
	}
	k.undoing = true

	var made struct {
		Data map[string][]byte `json:"data"`
	}
	if err := json.Unmarshal(k.patch, &made); err != nil {
		return err
	}

	data := make(map[string]any)
	for key, value := range made.Data {
		now, there := k.object.Data[key]
		if there != (value != nil) || string(now) != string(value) {
			return fmt.Errorf("%s: %s was changed by someone else since: all is left as it is",
				k.given, key)
		}
		if old, there := before[key]; there {
			data[key] = old
		} else {
			data[key] = nil
		}
	}
	return k.prepare(data, true)
}

// Discard implements Target.
func (k *Kubernetes) Discard() {
	if k.backup != "" && !k.undoing {
		k.beside.Remove(k.backup)
	}
}

// Commit implements Target.
func (k *Kubernetes) Commit() error {
	k.kubectl.interrupted = nil // an interrupted patch leaves it unknown whether it was made
	_, err := k.kubectl.run(k.patch, "patch", "secret", k.name, "--namespace", k.namespace,
		"--type", "merge", "--patch-file", "/dev/stdin", "--output", "name")
	if err == nil {
		return nil
	}
	if strings.Contains(err.Error(), "the object has been modified") {
		return fmt.Errorf("%s was changed by someone else in this moment: "+
			"nothing was changed by this: run it again", k.given)
	}

	// Was the patch made, and only the answer lost?
	before := k.object
	look := k.fetch()
	now := k.object
	k.object = before

	switch {
	case look != nil:
		return &UnclearError{fmt.Errorf("%w; whether it was changed is not known, since looking "+
			"failed too: %w: run it again with --overdue when the cluster answers, which finds out",
			err, look)}
	case now.Metadata.Annotations[rotationAnnotation] == k.mark:
		return nil
	}
	return err
}
