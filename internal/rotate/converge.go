package rotate

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/secret-entrypoint/secret-entrypoint/internal/printable"
)

// pollSwarm is the pause between two looks at the services.
const pollSwarm = 500 * time.Millisecond

// wait looks at the updated services again and again, until done is true for each or fails.
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

// converged waits until all tasks of all services run with what they were given. That may take
// minutes, so the operator can interrupt it.
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
			return false, fmt.Errorf("the update is %s: %s", strings.ReplaceAll(state, "_", " "),
				printable.Line(service.UpdateStatus.Message))
		}
	})
}

// runs reports whether all tasks that a service should have are running.
func (s *Swarm) runs(name string, service swarmService) (bool, error) {
	out, err := s.docker.run(nil, "service", "ps", "--filter", "desired-state=running",
		"--format", "{{.CurrentState}}", name)
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
	return running >= service.replicas(), nil
}

// back gives every service that has the new secrets its old ones, and waits for that. A rollback of
// a rollback would bring the new ones again, so back first looks at what each service has.
func (s *Swarm) back() error {
	if err := s.look(); err != nil { // the labels of the new versions
		return err
	}

	var errs []error
	for i, service := range s.specs {
		switched := s.has(service.Spec, s.id) || s.dropped(service)
		if !s.updated[s.services[i]] || !switched {
			continue
		}
		if service.PreviousSpec == nil || s.has(*service.PreviousSpec, s.id) {
			errs = append(errs, fmt.Errorf("the service %s has been updated again since: give it "+
				"its old secrets by hand", s.services[i]))
			continue
		}

		_, err := s.docker.run(nil, "service", "rollback", "--detach", "--quiet", s.services[i])
		if err != nil {
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
			return false, fmt.Errorf("the rollback is paused: %s",
				printable.Line(service.UpdateStatus.Message))
		}
		return service.UpdateStatus.State != "rollback_started" || service.idle(), nil
	})
}

// dropped reports whether a service has lost what this rotation only removes.
func (s *Swarm) dropped(service swarmService) bool {
	if len(s.created) > 0 || service.PreviousSpec == nil {
		return false
	}
	return slices.ContainsFunc(service.PreviousSpec.secrets(), func(a attachment) bool {
		changes := changeOf(s.changes, a.variable()) != nil
		return changes && !slices.Contains(service.Spec.secrets(), a)
	})
}

// Finish removes the versions that are older than those to keep. It also removes those between the
// old and the new one, which a killed rotation made and no service uses.
func (s *Swarm) Finish() (notes []string) {
	if len(s.created) == 0 {
		return nil
	}
	if err := s.look(); err != nil {
		return []string{fmt.Sprintf("old versions were not removed: %v", err)}
	}

	for _, c := range s.changes {
		name := s.created[c.Name]
		if name == "" {
			continue
		}

		for _, v := range s.outdated(name) {
			if _, err := s.docker.run(nil, "secret", "rm", v); err != nil {
				notes = append(notes, fmt.Sprintf("the version %s was not removed: %v", v, err))
			} else {
				notes = append(notes, fmt.Sprintf("the version %s was removed", v))
			}
		}
	}
	return notes
}

// outdated returns the versions that the newest one made superfluous and that no service uses: the
// line of versions that it replaced, except those that --keep keeps, and the versions of rotations
// that did not end. A version that somebody else made and no rotation replaced stays.
func (s *Swarm) outdated(newest string) (names []string) {
	line := []string{newest}
	replaced := func(name string) string { return s.versions[name].Spec.Labels[replacesLabel] }
	for v := replaced(newest); v != "" && !slices.Contains(line, v); v = replaced(v) {
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
	isIt := func(a attachment) bool { return a.SecretName == secret }
	return slices.ContainsFunc(s.specs, func(service swarmService) bool {
		return slices.ContainsFunc(service.Spec.secrets(), isIt)
	})
}
