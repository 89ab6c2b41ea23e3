package rotate

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Kubernetes is a Secret as a target. The switch is one patch with the resourceVersion that was read, so that it fails if anyone
// else has changed the Secret since. An annotation that is set by the same patch tells, after a kill or a lost answer,
// whether it was made.
type Kubernetes struct {
	given, beside string
	namespace     string
	name          string
	context       string
	kubectl       tool
	locked        *os.File

	object  kubeSecret
	keys    map[string]string // of the data, by variable
	patch   []byte
	mark    string // the annotation that the patch sets
	backup  string
	undoing bool
}

// rotationAnnotation names the rotation that wrote a Secret last.
const rotationAnnotation = "secret-rotate/rotation"

// A kubeSecret is what is used of a Secret (core/v1).
type kubeSecret struct {
	Metadata struct {
		Name              string            `json:"name"`
		ResourceVersion   string            `json:"resourceVersion"`
		CreationTimestamp time.Time         `json:"creationTimestamp"`
		Annotations       map[string]string `json:"annotations"`
		OwnerReferences   []struct{ Kind, Name string }
	} `json:"metadata"`
	Type      string            `json:"type"`
	Immutable bool              `json:"immutable"`
	Data      map[string][]byte `json:"data"`
}

// NewKubernetes returns the target for NAMESPACE/SECRET. Records and backups go into the directory beside.
func NewKubernetes(place, beside string) (*Kubernetes, error) {
	namespace, name, ok := strings.Cut(place, "/")
	if !ok || namespace == "" || name == "" || strings.ContainsAny(name, "/ ") || strings.HasPrefix(place, "-") || strings.HasPrefix(name, "-") {
		return nil, errors.New("must be NAMESPACE/SECRET")
	}
	return &Kubernetes{given: place, beside: beside, namespace: namespace, name: name, kubectl: tool{name: "kubectl"}}, nil
}

func (k *Kubernetes) Kind() string   { return "k8s" }
func (k *Kubernetes) Beside() string { return k.beside }

// Place has the context of kubectl in it: the same Secret in another cluster is another one.
func (k *Kubernetes) Place() string {
	if k.context == "" {
		return k.given
	}
	return k.given + "@" + k.context
}

// Notes implements Target.
func (k *Kubernetes) Notes() []string {
	return []string{"the kubelet brings it into volumes within about a minute, at once into pods that get an annotation; variables by secretKeyRef need a rollout"}
}

// Open implements Target.
func (k *Kubernetes) Open() (err error) {
	if k.beside, err = realPath(k.beside); err != nil {
		return err
	}
	if k.locked, err = lock(k.beside); err != nil {
		return err
	}
	out, err := k.kubectl.run(nil, "config", "current-context")
	if err == nil { // in a pod there is none
		k.context = strings.TrimSpace(string(out))
	} else if strings.Contains(err.Error(), "not on PATH") {
		k.Close()
		return err
	}
	return nil
}

// InterruptedBy is asked before Open whether the operator wants to stop.
func (k *Kubernetes) InterruptedBy(interrupted func() bool) { k.kubectl.interrupted = interrupted }

func (k *Kubernetes) Close() { k.locked.Close() }

func (k *Kubernetes) fetch() error {
	out, err := k.kubectl.run(nil, "get", "secret", k.name, "--namespace", k.namespace, "--output", "json")
	if err != nil {
		return err
	}
	k.object = kubeSecret{}
	if err := json.Unmarshal(out, &k.object); err != nil || k.object.Metadata.Name != k.name {
		return errors.New("kubectl get secret: what it printed is not that Secret")
	}
	return nil
}

// Recover implements Target.
func (k *Kubernetes) Recover(begun *Record) (Recovery, error) {
	if err := removePartials(k.backupBase()); err != nil {
		return NothingLeft, err
	}
	if begun == nil {
		return NothingLeft, nil
	}
	if err := k.fetch(); err != nil {
		return NothingLeft, err
	}
	if k.object.Metadata.Annotations[rotationAnnotation] == mark(begun.Backup, begun.Outcome == OutcomeUndoing) {
		return Finished, nil
	}
	return Undone, nil
}

func mark(backup string, undone bool) string {
	text := strings.TrimPrefix(filepath.Base(backup), ".")
	if undone {
		text += ".undone"
	}
	return text
}

func (k *Kubernetes) backupBase() string {
	return filepath.Join(k.beside, k.namespace+"-"+k.name)
}

// Read implements Target.
func (k *Kubernetes) Read() (all []Entry, err error) {
	if err := k.fetch(); err != nil {
		return nil, err
	}
	if k.object.Immutable {
		return nil, fmt.Errorf("%s is immutable: make another Secret, and let the pods use that", k.given)
	}
	for _, o := range k.object.Metadata.OwnerReferences {
		return nil, fmt.Errorf("%s is written by %s %s, which would put its values back: rotate it there", k.given, Printable(o.Kind), Printable(o.Name))
	}
	k.keys = make(map[string]string)
	var errs []error
	for _, key := range slices.Sorted(maps.Keys(k.object.Data)) {
		name := variable(key)
		if other := k.keys[name]; other != "" {
			errs = append(errs, fmt.Errorf("%s: the keys %s and %s both give %s: remove one", k.given, other, key, name))
		}
		k.keys[name] = key
		value, _ := split(k.object.Data[key])
		all = append(all, Entry{Name: name, Where: key, Value: Secret(value), Since: k.object.Metadata.CreationTimestamp})
		k.kubectl.secrets = append(k.kubectl.secrets, Secret(k.object.Data[key]), Secret(value))
	}
	return all, errors.Join(errs...)
}

// split parts a value from the newlines at its end.
func split(data []byte) (value, tail string) {
	value = strings.TrimRight(string(data), "\r\n")
	return value, string(data[len(value):])
}

// Stage implements Target. The backup is a manifest that kubectl can apply.
func (k *Kubernetes) Stage(changes []Change) (string, error) {
	manifest, err := json.MarshalIndent(map[string]any{
		"apiVersion": "v1", "kind": "Secret", "type": k.object.Type, "data": k.object.Data,
		"metadata": map[string]string{"name": k.name, "namespace": k.namespace},
	}, "", "  ")
	if err != nil {
		return "", err
	}
	if k.backup, err = backupFile(k.backupBase(), append(manifest, '\n')); err != nil {
		return "", err
	}
	data := make(map[string]any)
	for _, c := range changes {
		key, tail := k.keys[c.Name], ""
		switch {
		case key != "":
			_, tail = split(k.object.Data[key])
		case k.keys[c.After] != "":
			key = previousFile(k.keys[c.After])
			_, tail = split(k.object.Data[k.keys[c.After]])
		default:
			key = c.Name
		}
		k.kubectl.secrets = append(k.kubectl.secrets, c.New+Secret(tail), c.New)
		if c.Kind == Dropped {
			data[key] = nil
		} else {
			data[key] = []byte(string(c.New) + tail)
		}
	}
	return k.backup, k.prepare(data, false)
}

// prepare makes the patch (RFC 7396: null removes).
func (k *Kubernetes) prepare(data map[string]any, undo bool) (err error) {
	k.mark = mark(k.backup, undo)
	k.patch, err = json.Marshal(map[string]any{
		"metadata": map[string]any{"resourceVersion": k.object.Metadata.ResourceVersion, "annotations": map[string]string{rotationAnnotation: k.mark}},
		"data":     data,
	})
	return err
}

// StageUndo implements Target.
func (k *Kubernetes) StageUndo() error {
	before := k.object.Data
	if err := k.fetch(); err != nil {
		return err
	}
	if k.object.Metadata.Annotations[rotationAnnotation] != mark(k.backup, false) {
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
		if now, there := k.object.Data[key]; there != (value != nil) || string(now) != string(value) {
			return fmt.Errorf("%s: %s was changed by someone else since: all is left as it is", k.given, key)
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
		os.Remove(k.backup)
	}
}

// Commit implements Target.
func (k *Kubernetes) Commit() error {
	k.kubectl.interrupted = nil // whether the patch was made would not be known
	_, err := k.kubectl.run(k.patch, "patch", "secret", k.name, "--namespace", k.namespace, "--type", "merge", "--patch-file", "/dev/stdin", "--output", "name")
	if err == nil {
		return nil
	}
	if strings.Contains(err.Error(), "the object has been modified") {
		return fmt.Errorf("%s was changed by someone else in this moment: nothing was changed by this: run it again", k.given)
	}
	// Was it made, and only the answer lost?
	before := k.object
	look := k.fetch()
	now := k.object
	k.object = before
	switch {
	case look != nil:
		return &UnclearError{fmt.Errorf("%w; whether it was changed is not known, since looking failed too: %w: run it again with --overdue when the cluster answers, which finds out", err, look)}
	case now.Metadata.Annotations[rotationAnnotation] == k.mark:
		return nil
	}
	return err
}
