package rotate

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// update gives each service all of its new secrets in one update. It does not resolve the image
// again: the tag may lead to another image by now.
func (s *Swarm) update() error {
	s.updated = make(map[string]bool)
	for i, service := range s.specs {
		args := s.arguments(service.Spec.secrets(), i == 0)
		if args == nil {
			continue
		}

		s.updated[s.services[i]] = true
		args = append([]string{"service", "update", "--detach", "--quiet", "--no-resolve-image"},
			args...)
		if _, err := s.docker.run(nil, append(args, s.services[i])...); err != nil {
			return err
		}
	}
	return nil
}

// arguments returns those that turn what a service has into what it should have, or nil if nothing
// changes. --secret-rm removes all attachments of a name, so those that stay have to be added
// again.
func (s *Swarm) arguments(have []attachment, first bool) []string {
	changed := make(map[string]bool) // names of secrets
	var want []attachment
	for _, a := range have {
		c := changeOf(s.changes, a.variable())
		if c == nil {
			want = append(want, a)
			continue
		}
		changed[a.SecretName] = true
		want = append(want, s.replacement(a, c)...)
	}

	added := s.additions(have, first)
	if len(changed) == 0 && added == nil {
		return nil
	}
	want = append(want, added...)

	var args []string
	for _, name := range slices.Sorted(maps.Keys(changed)) {
		args = append(args, "--secret-rm", name)
	}
	for _, a := range want {
		stays := slices.Contains(have, a) && !changed[a.SecretName]
		if !stays {
			args = append(args, "--secret-add", a.argument())
		}
	}
	return args
}

// argument is the attachment as --secret-add takes it.
func (a attachment) argument() string {
	return fmt.Sprintf("source=%s,target=%s,uid=%s,gid=%s,mode=%#o",
		a.SecretName, a.File.Name, a.File.UID, a.File.GID, a.File.Mode&0o777)
}

// replacement returns what a service gets in the place of an attachment that changes. A kept
// previous value is added together with the variable that it belongs to.
func (s *Swarm) replacement(old attachment, c *Change) (all []attachment) {
	if c.Reason == Dropped || c.Reason == Kept {
		return nil
	}

	previous := changeOf(s.changes, c.Name+previousSuffix)
	if previous != nil && previous.Reason == Kept {
		kept := old
		kept.File.Name = previousFile(old.File.Name)
		all = append(all, kept)
	}
	old.SecretName = s.created[c.Name]
	return append(all, old)
}

// additions returns what a service gets that no service has yet: with --set. A previous value goes
// to every service that has the variable it belongs to; all else goes to the first service.
func (s *Swarm) additions(have []attachment, first bool) (all []attachment) {
	for _, c := range s.changes {
		if _, there := s.attached[c.Name]; c.Reason != Given || there {
			continue
		}

		a := attachment{SecretName: s.created[c.Name]}
		after := strings.TrimSuffix(c.Name, previousSuffix)
		if _, there := s.attached[after]; there {
			isAfter := func(b attachment) bool { return b.variable() == after }
			i := slices.IndexFunc(have, isAfter)
			if i < 0 {
				continue
			}
			a.File = have[i].File
			a.File.Name = previousFile(a.File.Name)
		} else if first {
			a.File.Name = strings.ToLower(c.Name)
			a.File.UID, a.File.GID, a.File.Mode = "0", "0", 0o444
		} else {
			continue
		}
		all = append(all, a)
	}
	return all
}
