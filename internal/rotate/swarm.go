package rotate

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/secret-entrypoint/secret-entrypoint/internal/printable"
	"github.com/secret-entrypoint/secret-entrypoint/internal/rotate/dirfd"
)

// Swarm is services of Docker Swarm as a target. A secret there never changes, so a rotation makes
// the next version of each (jwt, jwt_v2, jwt_v3). One update of each service takes all of them at
// once, and Swarm starts new tasks and stops old ones. The switch is complete when all services
// have converged. If one does not, all go back to what they had.
//
// The new versions have the rotation in a label: Recover goes by that.
type Swarm struct {
	services  []string
	schemaDir string
	beside    *dirfd.Dir
	keep      int
	timeout   time.Duration
	docker    tool

	id       string
	specs    []swarmService
	versions map[string]swarmSecret // by name
	attached map[string]attachment  // by variable
	changes  []Change
	created  map[string]string // the new version, by variable
	updated  map[string]bool   // the services that this rotation updates
	undoing  bool
}

// Labels of the versions that are made here: the rotation, and the version that one replaces.
// Somebody else has made a version without them.
const (
	rotationLabel = "secret-rotate.rotation"
	replacesLabel = "secret-rotate.replaces"
)

// NewSwarm returns the target for services. Records go into the directory beside; keep is how many
// versions of a secret are kept, and timeout how long services may take to converge.
func NewSwarm(services, beside string, keep int, timeout time.Duration) (*Swarm, error) {
	s := &Swarm{
		services:  strings.Split(services, ","),
		schemaDir: beside,
		keep:      keep,
		timeout:   timeout,
		docker:    tool{name: "docker"},
	}

	for i, name := range s.services {
		if slices.Contains(s.services[:i], name) {
			return nil, fmt.Errorf("%s is named twice", printable.Line(name))
		}
		if name == "" || strings.HasPrefix(name, "-") || strings.ContainsAny(name, " /") {
			return nil, errors.New("must be SERVICE, or several with commas")
		}
	}
	return s, nil
}

func (s *Swarm) Kind() string       { return "swarm" }
func (s *Swarm) Beside() *dirfd.Dir { return s.beside }
func (s *Swarm) Identify(id string) { s.id = id }

// Place is the same in whatever order the services are named.
func (s *Swarm) Place() string {
	return strings.Join(slices.Sorted(slices.Values(s.services)), ",")
}

// InterruptedBy is called before Open.
func (s *Swarm) InterruptedBy(interrupted func() bool) { s.docker.interrupted = interrupted }

// Notes implements Target.
func (s *Swarm) Notes() (notes []string) {
	for _, c := range s.changes {
		if s.created[c.Name] != "" {
			notes = append(notes, fmt.Sprintf("%s is the secret %s", c.Name, s.created[c.Name]))
		}
	}
	if notes == nil {
		return nil
	}

	for i, service := range s.specs {
		for _, a := range service.Spec.secrets() {
			if name := s.copied(a); name != "" {
				notes = append(notes, fmt.Sprintf("the service %s has the old secret of %s as %s, "+
					"too: not changed", s.services[i], name, a.variable()))
			}
		}
	}
	return append(notes,
		"docker stack deploy brings back the secrets that its file names: name these there",
		"Swarm does not show values, so that what holds an old one (a URL) did not follow: "+
			"compose it in the container, or give it with --set")
}

// copied returns the rotated variable whose old secret a service has under another name as well.
func (s *Swarm) copied(a attachment) string {
	name := a.variable()
	for _, c := range s.changes {
		same := s.created[c.Name] != "" && s.attached[c.Name].SecretName == a.SecretName
		if same && changeOf(s.changes, name) == nil && name != c.Name+previousSuffix {
			return c.Name
		}
	}
	return ""
}

// Open implements Target.
func (s *Swarm) Open() (err error) {
	s.beside, err = openLocked(s.schemaDir)
	return err
}

func (s *Swarm) Close() { s.beside.Close() }

// look asks Docker for the services and all secrets.
func (s *Swarm) look() error {
	specs, err := s.inspect()
	if err != nil {
		return err
	}
	s.specs = specs

	out, err := s.docker.run(nil, "secret", "ls", "--quiet")
	if err != nil {
		return err
	}
	var all []swarmSecret
	if ids := strings.Fields(string(out)); len(ids) > 0 {
		out, err = s.docker.run(nil, append([]string{"secret", "inspect"}, ids...)...)
		if err != nil {
			return err
		}
		if err := json.Unmarshal(out, &all); err != nil {
			return errors.New("docker secret inspect: what it printed is not understood")
		}
	}

	s.versions = make(map[string]swarmSecret)
	for _, v := range all {
		s.versions[v.Spec.Name] = v
	}
	return nil
}

func (s *Swarm) inspect() (specs []swarmService, err error) {
	out, err := s.docker.run(nil, append([]string{"service", "inspect"}, s.services...)...)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(out, &specs); err != nil || len(specs) != len(s.services) {
		return nil, errors.New("docker service inspect: what it printed is not understood")
	}
	return specs, nil
}

// has reports whether a service has secrets of a rotation.
func (s *Swarm) has(spec swarmSpec, id string) bool {
	return slices.ContainsFunc(spec.secrets(), func(a attachment) bool {
		return s.versions[a.SecretName].Spec.Labels[rotationLabel] == id
	})
}

// Recover implements Target.
func (s *Swarm) Recover(begun *Record) (Recovery, error) {
	if begun == nil {
		return NothingLeft, nil
	}
	s.id = begun.ID
	if err := s.look(); err != nil {
		return NothingLeft, err
	}

	undoing := begun.Outcome == OutcomeUndoing
	if len(begun.Rotated) == 0 {
		return s.recoverDrop(begun.Dropped, undoing)
	}

	switched, concerned := 0, 0
	s.updated = make(map[string]bool)
	for i, service := range s.specs {
		if s.has(service.Spec, begun.ID) {
			s.updated[s.services[i]] = true
			switched++
		}
		if takes(service.Spec, begun.Rotated) {
			concerned++
		}
	}

	// The old values count from now on, which is what an undo wants.
	old := Undone
	if undoing {
		old = Finished
	}
	switch {
	case switched == 0:
		return old, nil
	case switched < concerned || undoing:
		return old, s.back()
	}
	if err := s.converged(nil); err != nil {
		return Undone, s.back()
	}
	return Finished, nil
}

// recoverDrop goes on where some services have lost what was to be dropped and others have not: the
// others lose it now.
func (s *Swarm) recoverDrop(names []string, undoing bool) (Recovery, error) {
	have, lost := false, false
	for _, service := range s.specs {
		has := service.Spec.hasAny(names)
		had := service.PreviousSpec != nil && service.PreviousSpec.hasAny(names)
		have = have || has
		lost = lost || !has && had
	}
	switch {
	case undoing == have:
		return Finished, nil
	case undoing, !lost:
		return Undone, nil
	}

	s.changes = nil
	for _, name := range names {
		s.changes = append(s.changes, Change{Name: name, Reason: Dropped})
	}
	if err := s.update(); err != nil {
		return NothingLeft, err
	}
	return Finished, s.converged(nil)
}

// Read implements Target. Docker does not show values.
func (s *Swarm) Read() (all []Entry, err error) {
	if err := s.look(); err != nil {
		return nil, err
	}

	s.attached = make(map[string]attachment)
	var errs []error
	for i, service := range s.specs {
		if service.Spec.isJob() {
			errs = append(errs, fmt.Errorf("the service %s is a job, which runs once and never "+
				"converges: start it anew with the new secrets", s.services[i]))
		}
		for _, a := range service.Spec.secrets() {
			name := a.variable()
			other, twice := s.attached[name]
			if twice && other.SecretName != a.SecretName {
				errs = append(errs, fmt.Errorf("%s is the secret %s and %s: make them one, or "+
					"rotate one service at a time", name, other.SecretName, a.SecretName))
			}
			if twice {
				continue
			}

			s.attached[name] = a
			all = append(all, Entry{
				Name:   name,
				Where:  a.SecretName,
				Hidden: true,
				Since:  s.versions[a.SecretName].CreatedAt,
			})
		}
	}
	return all, errors.Join(errs...)
}

// Stage implements Target: it makes the new versions, which no service has yet. The old versions,
// which stay, are the backup.
func (s *Swarm) Stage(changes []Change) (string, error) {
	s.changes, s.created = changes, make(map[string]string)
	var kept []string
	for _, c := range changes {
		if c.Reason != Generated && c.Reason != Given {
			continue
		}
		if old, there := s.attached[c.Name]; there {
			kept = append(kept, old.SecretName)
		}
		if err := s.create(c); err != nil {
			s.Discard()
			return "", err
		}
	}

	switch {
	case kept == nil:
		return "none is needed: the secrets stay in Swarm", nil
	case s.keep == 1:
		return "none, by --keep 1: removed in the end are " + strings.Join(kept, ", "), nil
	}
	return "in Swarm, which does not show it: " + strings.Join(kept, ", "), nil
}

// create makes the next version of a variable's secret.
func (s *Swarm) create(c Change) error {
	s.docker.secrets = append(s.docker.secrets, c.New)
	like, there := s.attached[c.Name]
	if !there {
		like, there = s.attached[strings.TrimSuffix(c.Name, previousSuffix)]
	}
	name := s.nextVersion(c.Name, like)

	args := []string{"secret", "create"}
	label := func(key, value string) { args = append(args, "--label", key+"="+value) }
	label(rotationLabel, s.id)
	if there {
		label(replacesLabel, like.SecretName)
	}

	// docker stack rm goes by a label, and scripts by labels of theirs.
	labels := s.versions[like.SecretName].Spec.Labels
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		if key != rotationLabel && key != replacesLabel {
			label(key, labels[key])
		}
	}
	if _, err := s.docker.run([]byte(c.New), append(args, name, "-")...); err != nil {
		return err
	}

	s.created[c.Name] = name
	v := swarmSecret{}
	v.Spec.Name = name
	v.Spec.Labels = map[string]string{rotationLabel: s.id, replacesLabel: like.SecretName}
	s.versions[name] = v
	return nil
}

// nextVersion returns a name that no secret has yet.
func (s *Swarm) nextVersion(variable string, like attachment) string {
	base := strings.ToLower(variable)
	if like.SecretName != "" {
		base, _ = version(like.SecretName)
	}

	names := s.ofBase(base)
	if len(names) == 0 {
		return base
	}
	_, newest := version(names[0])
	return fmt.Sprintf("%s_v%d", base, newest+1)
}

// StageUndo implements Target.
func (s *Swarm) StageUndo() error {
	s.undoing = true
	specs, err := s.inspect()
	if err != nil {
		return err
	}

	for i, service := range specs {
		if !s.updated[s.services[i]] || !s.has(service.Spec, s.id) {
			continue
		}
		switch {
		case service.PreviousSpec == nil:
			return fmt.Errorf("the service %s has nothing to go back to", s.services[i])
		case s.has(*service.PreviousSpec, s.id):
			return fmt.Errorf("the service %s has been updated again since: all are left as they "+
				"are", s.services[i])
		}
	}
	return nil
}

// Discard removes the versions that this rotation made, except those that a service has.
func (s *Swarm) Discard() {
	if s.id == "" {
		return
	}
	label := fmt.Sprintf("label=%s=%s", rotationLabel, s.id)
	out, err := s.docker.run(nil, "secret", "ls", "--quiet", "--filter", label)
	if err != nil {
		return
	}
	for _, id := range strings.Fields(string(out)) {
		s.docker.run(nil, "secret", "rm", id) // Docker refuses those in use
	}
}

// Commit implements Target.
func (s *Swarm) Commit() error {
	interrupted := s.docker.interrupted
	s.docker.interrupted, s.docker.apart = nil, true // from here on it is completed, or taken back

	if s.undoing {
		if err := s.back(); err != nil {
			return &UnclearError{err}
		}
		s.Discard()
		return nil
	}

	err := s.update()
	if err == nil {
		err = s.converged(interrupted)
	}
	if err == nil {
		return nil
	}
	if back := s.back(); back != nil {
		return &UnclearError{fmt.Errorf("%w; and going back failed too: %w", err, back)}
	}
	return fmt.Errorf("%w: all services have their old secrets again", err)
}
