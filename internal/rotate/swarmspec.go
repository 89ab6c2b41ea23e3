package rotate

import (
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
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

// variable is the one that the secret gives.
func (a attachment) variable() string { return variable(path.Base(a.File.Name)) }

func (s swarmSpec) secrets() []attachment { return s.TaskTemplate.ContainerSpec.Secrets }

// isJob reports whether the service runs once.
func (s swarmSpec) isJob() bool { return s.Mode.ReplicatedJob != nil || s.Mode.GlobalJob != nil }

// hasAny reports whether the service has any of these variables.
func (s swarmSpec) hasAny(names []string) bool {
	return slices.ContainsFunc(s.secrets(), func(a attachment) bool {
		return slices.Contains(names, a.variable())
	})
}

// takes reports whether a service gets new versions of any of these variables: it has one, or the
// variable that one is the previous value of.
func takes(spec swarmSpec, rotated []string) bool {
	names := slices.Clone(rotated)
	for _, name := range rotated {
		names = append(names, strings.TrimSuffix(name, previousSuffix))
	}
	return spec.hasAny(names)
}

// replicas is how many tasks the service should have, or -1 if one runs on each node.
func (s swarmService) replicas() int {
	r := s.Spec.Mode.Replicated
	if r == nil || r.Replicas == nil {
		return -1
	}
	return *r.Replicas
}

// idle reports whether the service has no tasks that an update could replace.
func (s swarmService) idle() bool { return s.replicas() == 0 }

var versionSuffix = regexp.MustCompile(`_v(\d{1,9})$`)

// version parts the name of a secret from its version. A name without one is the first version.
func version(name string) (base string, n int) {
	m := versionSuffix.FindStringSubmatch(name)
	if m == nil {
		return name, 1
	}
	n, _ = strconv.Atoi(m[1])
	return strings.TrimSuffix(name, m[0]), n
}

// ofBase returns the versions of a secret, the newest first.
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
