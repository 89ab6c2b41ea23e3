package rotate

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Swarm is services of Docker Swarm as a target. A secret there never changes, so a rotation makes the next version of each
// (jwt, jwt_v2, jwt_v3), and one update per service takes all of them at once; Swarm starts new tasks and stops old ones. The switch is
// complete when all services have converged. If one does not, all go back to what they had.
//
// The new versions have the rotation in a label: that is what Recover goes by.
type Swarm struct {
	services []string
	beside   string
	keep     int
	timeout  time.Duration
	docker   tool
	locked   *os.File

	id       string
	specs    []swarmService
	versions map[string]swarmSecret // by name
	attached map[string]attachment  // by variable
	changes  []Change
	created  map[string]string // the new version, by the variable
	updated  map[string]bool   // the services that this rotation updates
	undoing  bool
}

// Labels of the versions that are made here: by which rotation, and what they took the place of. What has none is somebody else's.
const (
	rotationLabel = "secret-rotate.rotation"
	replacesLabel = "secret-rotate.replaces"
)

// A swarmService is what is used of `docker service inspect`.
type swarmService struct {
	Spec         swarmSpec
	PreviousSpec *swarmSpec
	UpdateStatus *struct{ State, Message string }
}

type swarmSpec struct {
	Name         string
	TaskTemplate struct {
		ContainerSpec struct{ Secrets []attachment }
	}
	Mode struct {
		Replicated               *struct{ Replicas *int }
		ReplicatedJob, GlobalJob *struct{}
	}
}

// An attachment is a secret as a service has it.
type attachment struct {
	SecretName string
	File       struct {
		Name, UID, GID string
		Mode           uint32
	}
}

// A swarmSecret is what is used of `docker secret inspect`.
type swarmSecret struct {
	CreatedAt time.Time
	Spec      struct {
		Name   string
		Labels map[string]string
	}
}

// NewSwarm returns the target for services. Records go into the directory beside; keep is how many versions of a secret are kept, and
// timeout how long services may take to converge.
func NewSwarm(services, beside string, keep int, timeout time.Duration) (*Swarm, error) {
	s := &Swarm{services: strings.Split(services, ","), beside: beside, keep: keep, timeout: timeout, docker: tool{name: "docker"}}
	for i, name := range s.services {
		if slices.Contains(s.services[:i], name) {
			return nil, errors.New(Printable(name) + " is named twice")
		}
		if name == "" || strings.HasPrefix(name, "-") || strings.ContainsAny(name, " /") {
			return nil, errors.New("must be SERVICE, or several with commas")
		}
	}
	return s, nil
}

func (s *Swarm) Kind() string       { return "swarm" }
func (s *Swarm) Place() string      { return strings.Join(slices.Sorted(slices.Values(s.services)), ",") } // in whatever order they are named
func (s *Swarm) Beside() string     { return s.beside }
func (s *Swarm) Identify(id string) { s.id = id }

// InterruptedBy is asked before Open whether the operator wants to stop.
func (s *Swarm) InterruptedBy(interrupted func() bool) { s.docker.interrupted = interrupted }

// Notes implements Target.
func (s *Swarm) Notes() (notes []string) {
	for _, c := range s.changes {
		if s.created[c.Name] != "" {
			notes = append(notes, c.Name+" is the secret "+s.created[c.Name])
		}
	}
	if notes == nil {
		return nil
	}
	for i, service := range s.specs {
		for _, a := range service.Spec.TaskTemplate.ContainerSpec.Secrets {
			name := variable(path.Base(a.File.Name))
			for _, c := range s.changes {
				if s.created[c.Name] != "" && s.attached[c.Name].SecretName == a.SecretName && s.changeOf(name) == nil && name != c.Name+previousSuffix {
					notes = append(notes, "the service "+s.services[i]+" has the old secret of "+c.Name+" as "+name+", too: not changed")
				}
			}
		}
	}
	return append(notes, "docker stack deploy brings back the secrets that its file names: name these there",
		"Swarm does not show values, so that what holds an old one (a URL) did not follow: compose it in the container, or give it with --set")
}

// Open implements Target.
func (s *Swarm) Open() (err error) {
	if s.beside, err = realPath(s.beside); err != nil {
		return err
	}
	s.locked, err = lock(s.beside)
	return err
}

func (s *Swarm) Close() { s.locked.Close() }

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
		if out, err = s.docker.run(nil, append([]string{"secret", "inspect"}, ids...)...); err != nil {
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
	return slices.ContainsFunc(spec.TaskTemplate.ContainerSpec.Secrets, func(a attachment) bool {
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
	switched, concerned, drops := 0, 0, len(begun.Rotated) == 0
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
	undoing := begun.Outcome == OutcomeUndoing
	result := map[bool]Recovery{true: Finished, false: Undone}
	switch {
	case drops:
		return s.recoverDrop(begun.Dropped, undoing)
	case switched == 0:
		return result[undoing], nil
	case switched < concerned || undoing:
		return result[undoing], s.back()
	}
	if err := s.converged(nil); err != nil {
		return Undone, s.back()
	}
	return Finished, nil
}

// recoverDrop: where some services have lost what was to be dropped and others have not, the others lose it now.
func (s *Swarm) recoverDrop(names []string, undoing bool) (Recovery, error) {
	have, lost := false, false
	for _, service := range s.specs {
		has := service.Spec.hasAny(names)
		have = have || has
		lost = lost || !has && service.PreviousSpec != nil && service.PreviousSpec.hasAny(names)
	}
	switch {
	case undoing && have, !undoing && !have:
		return Finished, nil
	case undoing, !lost:
		return Undone, nil
	}
	s.changes = nil
	for _, name := range names {
		s.changes = append(s.changes, Change{Name: name, Kind: Dropped})
	}
	if err := s.update(); err != nil {
		return NothingLeft, err
	}
	return Finished, s.converged(nil)
}

// takes reports whether a service gets new versions of any of these variables: it has one, or what one is the previous value of.
func takes(spec swarmSpec, rotated []string) bool {
	names := slices.Clone(rotated)
	for _, name := range rotated {
		names = append(names, strings.TrimSuffix(name, previousSuffix))
	}
	return spec.hasAny(names)
}

// hasAny reports whether a service has any of these variables.
func (s swarmSpec) hasAny(names []string) bool {
	return slices.ContainsFunc(s.TaskTemplate.ContainerSpec.Secrets, func(a attachment) bool {
		return slices.Contains(names, variable(path.Base(a.File.Name)))
	})
}

// Read implements Target. Docker does not tell values.
func (s *Swarm) Read() (all []Entry, err error) {
	if err := s.look(); err != nil {
		return nil, err
	}
	s.attached = make(map[string]attachment)
	var errs []error
	for i, service := range s.specs {
		if service.Spec.Mode.ReplicatedJob != nil || service.Spec.Mode.GlobalJob != nil {
			errs = append(errs, fmt.Errorf("the service %s is a job, which runs once and never converges: start it anew with the new secrets", s.services[i]))
		}
		for _, a := range service.Spec.TaskTemplate.ContainerSpec.Secrets {
			name := variable(path.Base(a.File.Name))
			if other, twice := s.attached[name]; twice {
				if other.SecretName != a.SecretName {
					errs = append(errs, fmt.Errorf("%s is the secret %s and %s: make them one, or rotate one service at a time", name, other.SecretName, a.SecretName))
				}
				continue
			}
			s.attached[name] = a
			all = append(all, Entry{Name: name, Where: a.SecretName, Hidden: true, Since: s.versions[a.SecretName].CreatedAt})
		}
	}
	return all, errors.Join(errs...)
}

var versionSuffix = regexp.MustCompile(`_v(\d{1,9})$`)

// version parts the name of a secret from its version; without one it is the first.
func version(name string) (base string, n int) {
	m := versionSuffix.FindStringSubmatch(name)
	if m == nil {
		return name, 1
	}
	n, _ = strconv.Atoi(m[1])
	return strings.TrimSuffix(name, m[0]), n
}

// ofBase are the versions of a secret, the newest first.
func (s *Swarm) ofBase(base string) (names []string) {
	for name := range s.versions {
		if b, _ := version(name); b == base {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(a, b string) int {
		_, m := version(a)
		_, n := version(b)
		return n - m
	})
	return names
}

// Stage implements Target: the new versions are made, which no service has yet. The old ones, which stay, are the backup.
func (s *Swarm) Stage(changes []Change) (string, error) {
	s.changes, s.created = changes, make(map[string]string)
	var kept []string
	for _, c := range changes {
		if c.Kind != Generated && c.Kind != Given {
			continue
		}
		s.docker.secrets = append(s.docker.secrets, c.New)
		base, n := strings.ToLower(c.Name), 0
		like, there := s.attached[c.Name]
		if there {
			kept = append(kept, like.SecretName)
		} else {
			like, there = s.attached[strings.TrimSuffix(c.Name, previousSuffix)]
		}
		if there {
			base, _ = version(like.SecretName)
		}
		if names := s.ofBase(base); len(names) > 0 {
			_, n = version(names[0])
		}
		name := base
		if n > 0 {
			name += "_v" + strconv.Itoa(n+1)
		}
		args := []string{"secret", "create", "--label", rotationLabel + "=" + s.id}
		if there {
			args = append(args, "--label", replacesLabel+"="+like.SecretName)
		}
		labels := s.versions[like.SecretName].Spec.Labels // docker stack rm goes by one, and scripts by theirs
		for _, key := range slices.Sorted(maps.Keys(labels)) {
			if key != rotationLabel && key != replacesLabel {
				args = append(args, "--label", key+"="+labels[key])
			}
		}
		if _, err := s.docker.run([]byte(c.New), append(args, name, "-")...); err != nil {
			s.Discard()
			return "", err
		}
		s.created[c.Name] = name
		v := swarmSecret{}
		v.Spec.Name, v.Spec.Labels = name, map[string]string{rotationLabel: s.id, replacesLabel: like.SecretName}
		s.versions[name] = v
	}
	if kept == nil {
		return "none is needed: the secrets stay in Swarm", nil
	}
	if s.keep == 1 {
		return "none, by --keep 1: removed in the end are " + strings.Join(kept, ", "), nil
	}
	return "in Swarm, which does not show it: " + strings.Join(kept, ", "), nil
}

// StageUndo implements Target.
func (s *Swarm) StageUndo() error {
	s.undoing = true
	specs, err := s.inspect()
	if err != nil {
		return err
	}
	for i, service := range specs {
		switch {
		case !s.updated[s.services[i]]:
		case service.PreviousSpec == nil && s.has(service.Spec, s.id):
			return fmt.Errorf("the service %s has nothing to go back to", s.services[i])
		case s.has(service.Spec, s.id) && s.has(*service.PreviousSpec, s.id):
			return fmt.Errorf("the service %s has been updated again since: all are left as they are", s.services[i])
		}
	}
	return nil
}

// Discard removes the versions that this rotation made, unless a service has them.
func (s *Swarm) Discard() {
	if s.id == "" {
		return
	}
	out, err := s.docker.run(nil, "secret", "ls", "--quiet", "--filter", "label="+rotationLabel+"="+s.id)
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
	s.docker.interrupted, s.docker.apart = nil, true // what has begun is completed, or taken back
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

// update gives each service all of its new secrets in one update. Not a new image: the tag may lead to another one by now.
func (s *Swarm) update() error {
	s.updated = make(map[string]bool)
	for i, service := range s.specs {
		args := s.arguments(service.Spec.TaskTemplate.ContainerSpec.Secrets, i == 0)
		if args == nil {
			continue
		}
		s.updated[s.services[i]] = true
		args = append([]string{"service", "update", "--detach", "--quiet", "--no-resolve-image"}, args...)
		if _, err := s.docker.run(nil, append(args, s.services[i])...); err != nil {
			return err
		}
	}
	return nil
}

// arguments are those that turn what a service has into what it should have. --secret-rm removes all attachments of a
// name, so that those which stay have to be added again.
func (s *Swarm) arguments(have []attachment, first bool) []string {
	var want []attachment
	changed := make(map[string]bool) // names of secrets
	for _, a := range have {
		name := variable(path.Base(a.File.Name))
		c := s.changeOf(name)
		old := a
		switch {
		case c == nil:
		case c.Kind == Dropped:
			changed[old.SecretName] = true
			continue
		case c.Kind == Kept:
			changed[old.SecretName] = true
			continue // it is added with what it is the previous value of
		default:
			a.SecretName = s.created[name]
			changed[old.SecretName] = true
			if s.changeOf(name+previousSuffix) != nil && s.changeOf(name+previousSuffix).Kind == Kept {
				previous := old
				previous.File.Name = previousFile(old.File.Name)
				want = append(want, previous)
			}
		}
		want = append(want, a)
	}
	added := false
	for _, c := range s.changes {
		if _, there := s.attached[c.Name]; c.Kind != Given || there {
			continue
		}
		var a attachment
		after := strings.TrimSuffix(c.Name, previousSuffix)
		if _, there := s.attached[after]; there { // beside what it is the previous value of, in every service
			i := slices.IndexFunc(have, func(b attachment) bool { return variable(path.Base(b.File.Name)) == after })
			if i < 0 {
				continue
			}
			a.File = have[i].File
			a.File.Name = previousFile(a.File.Name)
		} else if first {
			a.File.Name, a.File.UID, a.File.GID, a.File.Mode = strings.ToLower(c.Name), "0", "0", 0o444
		} else {
			continue
		}
		a.SecretName = s.created[c.Name]
		want, added = append(want, a), true
	}
	if len(changed) == 0 && !added {
		return nil
	}
	var args []string
	for _, name := range slices.Sorted(maps.Keys(changed)) {
		args = append(args, "--secret-rm", name)
	}
	for _, a := range want {
		stays := slices.ContainsFunc(have, func(b attachment) bool { return a == b }) && !changed[a.SecretName]
		if !stays {
			args = append(args, "--secret-add", fmt.Sprintf("source=%s,target=%s,uid=%s,gid=%s,mode=%#o", a.SecretName, a.File.Name, a.File.UID, a.File.GID, a.File.Mode&0o777))
		}
	}
	return args
}

func (s *Swarm) changeOf(name string) *Change {
	for i := range s.changes {
		if s.changes[i].Name == name {
			return &s.changes[i]
		}
	}
	return nil
}
