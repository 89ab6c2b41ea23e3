package rotate

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"
)

// pollSwarm is how often Docker is asked how far it is.
const pollSwarm = 500 * time.Millisecond

// wait asks for the services that are updated until done says so, or fails.
func (s *Swarm) wait(done func(name string, service swarmService) (bool, error)) error {
	deadline := time.Now().Add(s.timeout)
	for {
		specs, err := s.inspect()
		if err != nil {
			return err
		}
		var waiting []string
		for i, service := range specs {
			if !s.updated[s.services[i]] {
				continue
			}
			ok, err := done(s.services[i], service)
			if err != nil {
				return fmt.Errorf("the service %s: %w", s.services[i], err)
			}
			if !ok {
				waiting = append(waiting, s.services[i])
			}
		}
		if waiting == nil {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s did not converge in %v", strings.Join(waiting, ", "), s.timeout)
		}
		time.Sleep(pollSwarm)
	}
}

// converged waits until all tasks of all services run with what they were given. That may take minutes, so the operator can
// interrupt it.
func (s *Swarm) converged(interrupted func() bool) error {
	return s.wait(func(name string, service swarmService) (bool, error) {
		if interrupted != nil && interrupted() {
			return false, errors.New("interrupted before it converged")
		}
		if service.UpdateStatus == nil {
			return service.idle(), nil
		}
		switch state := service.UpdateStatus.State; state {
		case "completed":
			// With --update-failure-action continue an update completes although its tasks fail.
			return s.runs(name, service)
		case "updating", "":
			return false, nil
		default:
			return false, fmt.Errorf("the update is %s: %s", strings.ReplaceAll(state, "_", " "), Printable(service.UpdateStatus.Message))
		}
	})
}

// runs reports whether all tasks that a service should have are running.
func (s *Swarm) runs(name string, service swarmService) (bool, error) {
	out, err := s.docker.run(nil, "service", "ps", "--filter", "desired-state=running", "--format", "{{.CurrentState}}", name)
	if err != nil {
		return false, err
	}
	running := 0
	for _, state := range strings.Split(strings.TrimSpace(string(out)), "\n") {
		switch {
		case strings.HasPrefix(state, "Running"):
			running++
		case state != "":
			return false, nil // it starts, or waits to be started again
		}
	}
	r := service.Spec.Mode.Replicated
	return r == nil || r.Replicas == nil || running >= *r.Replicas, nil
}

// idle reports whether a service has no tasks that an update could replace.
func (s swarmService) idle() bool {
	r := s.Spec.Mode.Replicated
	return r != nil && r.Replicas != nil && *r.Replicas == 0
}

// back brings every service that has the new secrets back to what it had, and waits for it. A rollback of a
// rollback would bring the new ones again, so Swarm is asked first where it stands.
func (s *Swarm) back() error {
	if err := s.look(); err != nil { // the labels of the new versions
		return err
	}
	var errs []error
	for i, service := range s.specs {
		if !s.updated[s.services[i]] || !s.has(service.Spec, s.id) && !s.dropped(service) {
			continue
		}
		if service.PreviousSpec == nil || s.has(*service.PreviousSpec, s.id) {
			errs = append(errs, fmt.Errorf("the service %s has been updated again since: give it its old secrets by hand", s.services[i]))
			continue
		}
		if _, err := s.docker.run(nil, "service", "rollback", "--detach", "--quiet", s.services[i]); err != nil {
			errs = append(errs, err)
		}
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	return s.wait(func(_ string, service swarmService) (bool, error) {
		switch {
		case s.has(service.Spec, s.id), s.dropped(service):
			return false, nil
		case service.UpdateStatus == nil:
			return true, nil
		case service.UpdateStatus.State == "rollback_paused":
			return false, fmt.Errorf("the rollback is paused: %s", Printable(service.UpdateStatus.Message))
		}
		return service.UpdateStatus.State != "rollback_started" || service.idle(), nil
	})
}

// dropped reports whether a service has lost what this rotation only removes.
func (s *Swarm) dropped(service swarmService) bool {
	if len(s.created) > 0 || service.PreviousSpec == nil {
		return false
	}
	for _, a := range service.PreviousSpec.TaskTemplate.ContainerSpec.Secrets {
		if s.changeOf(variable(path.Base(a.File.Name))) != nil && !slices.Contains(service.Spec.TaskTemplate.ContainerSpec.Secrets, a) {
			return true
		}
	}
	return false
}

// Finish removes versions that are older than those to keep, and those between the old and the new one, which a rotation that
// was killed made and nobody used. It returns what to tell the operator.
func (s *Swarm) Finish() (notes []string) {
	if len(s.created) == 0 {
		return nil
	}
	if err := s.look(); err != nil {
		return []string{"old versions were not removed: " + err.Error()}
	}
	for _, c := range s.changes {
		name := s.created[c.Name]
		if name == "" {
			continue
		}
		for _, v := range s.outdated(name) {
			if _, err := s.docker.run(nil, "secret", "rm", v); err != nil {
				notes = append(notes, "the version "+v+" was not removed: "+err.Error())
			} else {
				notes = append(notes, "the version "+v+" was removed")
			}
		}
	}
	return notes
}

// outdated are the versions that the newest one has made superfluous, and no service uses: those that it took the place of, one after the other,
// but for --keep; and those made by rotations that did not end. What somebody else has made, and no rotation replaced, is not touched.
func (s *Swarm) outdated(newest string) (names []string) {
	line := []string{newest}
	for v := s.versions[newest].Spec.Labels[replacesLabel]; v != "" && !slices.Contains(line, v); v = s.versions[v].Spec.Labels[replacesLabel] {
		if _, there := s.versions[v]; there {
			line = append(line, v)
		}
	}
	base, _ := version(newest)
	for _, v := range s.ofBase(base) {
		if !slices.Contains(line, v) && s.versions[v].Spec.Labels[rotationLabel] != "" {
			names = append(names, v)
		}
	}
	names = append(names, line[min(s.keep, len(line)):]...)
	return slices.DeleteFunc(names, s.uses)
}

// uses reports whether any of the services has a secret.
func (s *Swarm) uses(secret string) bool {
	return slices.ContainsFunc(s.specs, func(service swarmService) bool {
		return slices.ContainsFunc(service.Spec.TaskTemplate.ContainerSpec.Secrets, func(a attachment) bool { return a.SecretName == secret })
	})
}
