package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A fakeSwarm is what the fake docker keeps.
type fakeSwarm struct {
	Services map[string]*fakeService
	Secrets  map[string]fakeVersion // by name, which is the id, too
	Bad      string                 // a service whose tasks fail with new secrets
	Action   string                 // what Swarm does then: pause or rollback
	Dead     bool                   // or: the update completes, and no task runs
}

type fakeService struct {
	Secrets, Previous []fakeAttachment
	State             string
}

type fakeAttachment struct {
	SecretName string
	File       map[string]any
}

type fakeVersion struct {
	Value  string
	Labels map[string]string
}

func attach(secret, target string) fakeAttachment {
	return fakeAttachment{secret, map[string]any{"Name": target, "UID": "0", "GID": "0", "Mode": 0o444}}
}

func (s *fakeService) spec(secrets []fakeAttachment) map[string]any {
	return map[string]any{"TaskTemplate": map[string]any{"ContainerSpec": map[string]any{"Secrets": secrets}}, "Mode": map[string]any{"Replicated": map[string]any{"Replicas": 1}}}
}

func fakeDocker(dir string, args []string, stdin []byte) (string, error) {
	var s fakeSwarm
	loadFake(dir, &s)
	defer func() { saveFake(dir, s) }()
	rest := args[2:]
	switch strings.Join(args[:2], " ") {
	case "service inspect":
		var all []map[string]any
		for _, name := range rest {
			service := s.Services[name]
			out := map[string]any{"Spec": service.spec(service.Secrets)}
			if service.Previous != nil {
				out["PreviousSpec"] = service.spec(service.Previous)
			}
			if service.State != "" {
				out["UpdateStatus"] = map[string]string{"State": service.State}
			}
			all = append(all, out)
		}
		out, err := json.Marshal(all)
		return string(out), err
	case "service ps":
		if s.Dead && s.Services[rest[len(rest)-1]].State == "completed" {
			return "", nil
		}
		return "Running 1 second ago\n", nil
	case "secret ls":
		var names []string
		for name, v := range s.Secrets {
			if len(rest) == 1 || v.Labels["secret-rotate.rotation"] == strings.TrimPrefix(rest[2], "label=secret-rotate.rotation=") {
				names = append(names, name)
			}
		}
		return strings.Join(names, "\n"), nil
	case "secret inspect":
		var all []map[string]any
		for _, name := range rest {
			all = append(all, map[string]any{"CreatedAt": "2026-01-02T03:04:05Z", "Spec": map[string]any{"Name": name, "Labels": s.Secrets[name].Labels}})
		}
		out, err := json.Marshal(all)
		return string(out), err
	case "secret create":
		name := rest[len(rest)-2]
		if _, there := s.Secrets[name]; there {
			return "", errors.New("Error: secret " + name + " already exists")
		}
		labels := make(map[string]string)
		for i := 0; rest[i] == "--label"; i += 2 {
			key, value, _ := strings.Cut(rest[i+1], "=")
			labels[key] = value
		}
		s.Secrets[name] = fakeVersion{string(stdin), labels}
		return name, nil
	case "secret rm":
		for _, service := range s.Services {
			for _, a := range service.Secrets {
				if a.SecretName == rest[0] {
					return "", errors.New("Error: secret is in use")
				}
			}
		}
		delete(s.Secrets, rest[0])
		return rest[0], nil
	case "service rollback":
		service := s.Services[rest[len(rest)-1]]
		service.Secrets, service.Previous, service.State = service.Previous, service.Secrets, "rollback_completed"
		return "", nil
	case "service update":
		return "", s.update(rest)
	}
	return "", fmt.Errorf("the fake does not know docker %v", args)
}

func (s *fakeSwarm) update(args []string) error {
	name := args[len(args)-1]
	service := s.Services[name]
	next := slices.Clone(service.Secrets)
	for i, arg := range args {
		if arg == "--secret-rm" {
			next = slices.DeleteFunc(next, func(a fakeAttachment) bool { return a.SecretName == args[i+1] })
		}
	}
	for i, arg := range args {
		if arg != "--secret-add" {
			continue
		}
		fields := make(map[string]string)
		for _, f := range strings.Split(args[i+1], ",") {
			key, value, _ := strings.Cut(f, "=")
			fields[key] = value
		}
		if _, there := s.Secrets[fields["source"]]; !there || fields["mode"] != "0444" {
			return errors.New("Error: no such secret, or another mode")
		}
		next = append(next, attach(fields["source"], fields["target"]))
	}
	service.Secrets, service.Previous, service.State = next, service.Secrets, "completed"
	if s.Bad == name {
		service.State = "paused"
		if s.Action == "rollback" {
			service.Secrets, service.Previous, service.State = service.Previous, service.Secrets, "rollback_completed"
		}
	}
	return nil
}

func newSwarm() fakeSwarm {
	s := fakeSwarm{Services: make(map[string]*fakeService), Secrets: map[string]fakeVersion{
		"app_jwt":      {oldJWT, map[string]string{"com.docker.stack.namespace": "app"}},
		"app_postgres": {oldPostgres, nil},
	}}
	for _, name := range []string{"api", "worker"} {
		s.Services[name] = &fakeService{Secrets: []fakeAttachment{attach("app_jwt", "jwt_secret_key"), attach("app_postgres", "postgres_password")}}
	}
	return s
}

// read is what the tasks of the services see; "mixed" services have none.
func (s fakeSwarm) read() state {
	var all []state
	for _, name := range []string{"api", "worker"} {
		values := make(state)
		for _, a := range s.Services[name].Secrets {
			v, there := s.Secrets[a.SecretName]
			if !there {
				return nil
			}
			values[strings.ToUpper(a.File["Name"].(string))] = v.Value
		}
		all = append(all, values)
	}
	if fmt.Sprint(all[0]) != fmt.Sprint(all[1]) {
		return nil
	}
	return all[0]
}

// swarmKind tells old, new and mixed apart.
func swarmKind(s state, previous bool) string {
	switch {
	case len(s) == 2 && s["JWT_SECRET_KEY"] == oldJWT && s["POSTGRES_PASSWORD"] == oldPostgres:
		return "old"
	case len(s["JWT_SECRET_KEY"]) == 64 && len(s["POSTGRES_PASSWORD"]) == 32 && (s["JWT_SECRET_KEY_PREVIOUS"] == oldJWT) == previous && len(s) == map[bool]int{false: 2, true: 3}[previous]:
		return "new"
	}
	return "mixed"
}

func readSwarm(dir string) state {
	var s fakeSwarm
	loadFake(dir, &s)
	return s.read()
}

// docker failing at each of its commands, and secret-rotate killed at each, with two services that
// share their secrets.
func TestSwarmFaults(t *testing.T) {
	tried, mixed, interrupted := 0, 0, 0
	for _, args := range [][]string{{"--previous"}, {"--then", "false", "--rollback"}, {"paused"}} {
		previous := args[0] == "--previous"
		prepare := func(fault string) (dir string, target []string, o outcome) {
			dir = useFake(t, "docker")
			fake := newSwarm()
			fake.Secrets["app_other"] = fakeVersion{canary, nil}
			fake.Services["cron"] = &fakeService{Secrets: []fakeAttachment{attach("app_other", "other")}} // has nothing to do with it
			extra := args
			if args[0] == "paused" {
				fake.Bad, fake.Action, extra = "worker", "pause", nil
			}
			saveFake(dir, fake)
			target = []string{"--schema", writeSchema(t, dir), "--swarm", "api,worker,cron", "--timeout", "5s"}
			t.Setenv("FAKE_FAULT", fault)
			o = invoke(t, "", append(target, extra...)...)
			t.Setenv("FAKE_FAULT", "")
			return dir, target, o
		}
		dir, _, o := prepare("")
		if want := map[string]int{"--previous": exitDone, "--then": exitFailed, "paused": exitFailed}[args[0]]; o.status != want {
			t.Fatalf("%s: status %d: %s", args[0], o.status, o.stderr)
		}
		of := "docker-" + strings.TrimLeft(args[0], "-")
		for _, p := range points(t, of, faults(t, dir)) {
			dir, target, o := prepare(strconv.Itoa(p.n) + ":" + p.what)
			if !exists(filepath.Join(dir, "fault")) {
				t.Fatalf("no fault: %s", repeat(t, p, of))
			}
			tried++
			where := repeat(t, p, of)
			kind := swarmKind(readSwarm(dir), previous)
			if kind == "mixed" {
				mixed++
			}
			if strings.Contains(o.stderr, "interrupted before it converged: all services have their old secrets again") {
				interrupted++
			}
			if o.status == exitDone && kind != "new" || o.status == exitFailed && kind != "old" {
				t.Fatalf("%s: status %d, %s: %s", where, o.status, kind, o.stderr)
			}
			var now fakeSwarm
			loadFake(dir, &now)
			if now.Secrets["app_jwt"].Value != oldJWT || now.Secrets["app_postgres"].Value != oldPostgres {
				t.Fatalf("%s: an old value is lost", where)
			}
			loadFake(dir, &now)
			now.Bad = ""
			saveFake(dir, now)
			invoke(t, "", append(target, "--overdue")...)
			settled := swarmKind(readSwarm(dir), previous)
			if kind == "new" && args[0] == "--previous" && settled != "new" && !strings.HasPrefix(p.what, "fail-") {
				t.Fatalf("%s: a complete switch was taken back: %s", where, o.stderr)
			}
			if settled == "mixed" {
				t.Fatalf("%s: %s became %s: %s", where, kind, settled, o.stderr)
			}
			killed{}.recorded(t, dir, settled)
			if again := invoke(t, "", target...); again.status != exitDone {
				t.Errorf("the next rotation: %s", again.stderr)
			}
			if final := swarmKind(readSwarm(dir), false); final != "new" {
				t.Errorf("the next rotation: %s", final)
			}
			log, _ := os.ReadFile(filepath.Join(dir, "arguments"))
			if strings.Contains(string(log), canary) {
				t.Error("a value was an argument")
			}
			if t.Failed() {
				t.Fatalf("%s: %s%s", where, o.stderr, log)
			}
		}
	}
	if everyPoint() && interrupted == 0 {
		t.Error("waiting for the services was never interrupted")
	}
	t.Logf("%d points of failure, %d of them with one service ahead of the other until the next run", tried, mixed)
}

func TestSwarmVersions(t *testing.T) {
	dir := useFake(t, "docker")
	saveFake(dir, newSwarm())
	target := []string{"--schema", writeSchema(t, dir), "--swarm", "api,worker"}
	versions := func() string {
		var s fakeSwarm
		loadFake(dir, &s)
		var names []string
		for name := range s.Secrets {
			names = append(names, name)
		}
		slices.Sort(names)
		return strings.Join(names, " ")
	}
	invoke(t, "", append(target, "JWT_SECRET_KEY")...).want(t, exitDone, "JWT_SECRET_KEY is the secret app_jwt_v2", "in Swarm, which does not show it: app_jwt")
	if got := versions(); got != "app_jwt app_jwt_v2 app_postgres" {
		t.Error(got)
	}
	invoke(t, "", append(target, "JWT_SECRET_KEY", "--previous")...).want(t, exitDone, "the version app_jwt was removed")
	if got := versions(); got != "app_jwt_v2 app_jwt_v3 app_postgres" {
		t.Error(got)
	}
	if s := readSwarm(dir); len(s) != 3 || len(s["JWT_SECRET_KEY_PREVIOUS"]) != 64 || s["POSTGRES_PASSWORD"] != oldPostgres {
		t.Error(names(s))
	}
	invoke(t, "", append(target, "--drop-previous")...).want(t, exitDone, "JWT_SECRET_KEY_PREVIOUS  removed")
	if s := readSwarm(dir); len(s) != 2 {
		t.Error(names(s))
	}
	// Swarm itself went back.
	var s fakeSwarm
	loadFake(dir, &s)
	s.Bad, s.Action = "api", "rollback"
	saveFake(dir, s)
	invoke(t, "", target...).want(t, exitFailed, "the service api: the update is rollback completed", "all services have their old secrets again")
	if got := versions(); got != "app_jwt_v2 app_jwt_v3 app_postgres" {
		t.Error(got)
	}
	loadFake(dir, &s)
	s.Services["api"].Secrets[1] = attach("app_jwt_v2", "jwt_secret_key")
	saveFake(dir, s)
	invoke(t, "", target...).want(t, exitFailed, "make them one, or rotate one service at a time")
}

// Versions that somebody else has made, for later or for something else, are left.
func TestSwarmForeignVersions(t *testing.T) {
	dir := useFake(t, "docker")
	fake := newSwarm()
	fake.Secrets["app_jwt_v2"] = fakeVersion{canary, nil}
	fake.Secrets["app_jwt_v7"] = fakeVersion{canary, nil}
	saveFake(dir, fake)
	target := []string{"--schema", writeSchema(t, dir), "--swarm", "worker,api", "--keep", "1", "JWT_SECRET_KEY"}
	invoke(t, "", target...).want(t, exitDone, "is the secret app_jwt_v8", "none, by --keep 1", "the version app_jwt was removed")
	invoke(t, "", target...).want(t, exitDone, "is the secret app_jwt_v9", "the version app_jwt_v8 was removed")
	var now fakeSwarm
	loadFake(dir, &now)
	for _, name := range []string{"app_jwt_v2", "app_jwt_v7", "app_jwt_v9", "app_postgres"} {
		if _, there := now.Secrets[name]; !there {
			t.Errorf("%s is gone", name)
		}
	}
	if len(now.Secrets) != 4 {
		t.Errorf("%d secrets", len(now.Secrets))
	}
	invoke(t, "", "--schema", writeSchema(t, dir), "--swarm", "api,api").want(t, exitFailed, "api is named twice")

	// A secret that a service has by another name, too, is told.
	now.Services["api"].Secrets = append(now.Services["api"].Secrets, attach("app_jwt_v9", "signing_key"))
	saveFake(dir, now)
	invoke(t, "", target...).want(t, exitDone, "the service api has the old secret of JWT_SECRET_KEY as SIGNING_KEY, too: not changed")
}

// With the failure action continue an update completes although its tasks are dead. And what once
// became of a service that has nothing of what changes is no concern.
func TestSwarmDeadTasks(t *testing.T) {
	dir := useFake(t, "docker")
	fake := newSwarm()
	fake.Secrets["app_other"] = fakeVersion{canary, nil}
	other := []fakeAttachment{attach("app_other", "other")}
	fake.Services["cron"] = &fakeService{Secrets: other, Previous: other, State: "rollback_completed"}
	saveFake(dir, fake)
	target := []string{"--schema", writeSchema(t, dir), "--swarm", "api,worker,cron", "--timeout", "2s"}
	invoke(t, "", target...).want(t, exitDone)
	before := readSwarm(dir)
	loadFake(dir, &fake)
	fake.Dead = true
	saveFake(dir, fake)
	invoke(t, "", target...).want(t, exitFailed, "api, worker did not converge in 2s: all services have their old secrets again")
	if fmt.Sprint(readSwarm(dir)) != fmt.Sprint(before) {
		t.Error("not what it was")
	}
}

// A removal that was killed between two services is completed by the next run.
func TestSwarmHalfDropped(t *testing.T) {
	dir := useFake(t, "docker")
	saveFake(dir, newSwarm())
	target := []string{"--schema", writeSchema(t, dir), "--swarm", "api,worker"}
	invoke(t, "", append(target, "JWT_SECRET_KEY", "--previous")...).want(t, exitDone)
	os.Remove(filepath.Join(dir, "arguments"))
	for n := 1; n < 50; n++ {
		saved, _ := os.ReadFile(filepath.Join(dir, "state.json"))
		os.Remove(filepath.Join(dir, "arguments"))
		os.Remove(filepath.Join(dir, "fault"))
		t.Setenv("FAKE_FAULT", strconv.Itoa(n)+":kill-after")
		invoke(t, "", append(target, "--drop-previous")...)
		t.Setenv("FAKE_FAULT", "")
		if !exists(filepath.Join(dir, "fault")) {
			return
		}
		invoke(t, "", append(target, "--overdue")...).want(t, exitLate)
		if s := readSwarm(dir); s == nil {
			t.Fatalf("killed at %d: half of it is left", n)
		}
		os.WriteFile(filepath.Join(dir, "state.json"), saved, 0o600)
	}
	t.Error("it never came to an end")
}

// A key that every task accepts before any signs with it: it is made as the previous one first.
func TestSwarmAcceptFirst(t *testing.T) {
	dir := useFake(t, "docker")
	fake := newSwarm()
	fake.Secrets["app_jwt"] = fakeVersion{oldJWT, map[string]string{"com.docker.stack.namespace": "app", "stack": "app", "secret-rotate.rotation": "another"}}
	fake.Services["cron"] = &fakeService{Secrets: []fakeAttachment{attach("app_postgres", "postgres_password")}}
	saveFake(dir, fake)
	const next = canary + "-the-next-key-0123456789abcdef"
	target := []string{"--schema", writeSchema(t, dir), "--swarm", "cron,api,worker", "--set"}
	load := func() (s fakeSwarm) { loadFake(dir, &s); return s }

	invoke(t, next, append(target, "JWT_SECRET_KEY_PREVIOUS")...).want(t, exitDone, "JWT_SECRET_KEY_PREVIOUS is the secret app_jwt_v2")
	if s := readSwarm(dir); len(s) != 3 || s["JWT_SECRET_KEY"] != oldJWT || s["JWT_SECRET_KEY_PREVIOUS"] != next {
		t.Errorf("accepted by all: %v", names(s))
	}
	if labels := load().Secrets["app_jwt_v2"].Labels; len(labels) != 4 || labels["secret-rotate.replaces"] != "app_jwt" || labels["stack"] != "app" || labels["secret-rotate.rotation"] == "another" {
		t.Errorf("labels: %v", labels)
	}
	invoke(t, next, append(target, "JWT_SECRET_KEY", "--previous", "--then", "false", "--rollback")...).want(t, exitFailed, "was undone")
	if s := readSwarm(dir); s["JWT_SECRET_KEY"] != oldJWT || s["JWT_SECRET_KEY_PREVIOUS"] != next {
		t.Error("after --rollback the new key is not accepted any more")
	}
	invoke(t, next, append(target, "JWT_SECRET_KEY", "--previous")...).want(t, exitDone, "the version app_jwt_v2 was removed")
	if s := readSwarm(dir); len(s) != 3 || s["JWT_SECRET_KEY"] != next || s["JWT_SECRET_KEY_PREVIOUS"] != oldJWT {
		t.Errorf("signed with by all: %v", names(s))
	}
	if got := len(load().Services["cron"].Secrets); got != 1 {
		t.Errorf("a service without the key has %d secrets", got)
	}
	// Once more, with the key before still there: the version between the two is in use.
	if o := invoke(t, next+"-2", append(target, "JWT_SECRET_KEY_PREVIOUS")...); o.status != exitDone || strings.Contains(o.stdout, "app_jwt_v3 was") {
		t.Errorf("status %d: %s%s", o.status, o.stdout, o.stderr)
	}
}
