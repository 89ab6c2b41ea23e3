package main

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
)

// env is env(1), which passes on what it is given.
const env = "/usr/bin/env"

func TestPairLeavesOutWhoDoesNotDeliver(t *testing.T) {
	passing := func(path string, n int, behind string) ([]string, []string) {
		var vars []string
		for i := range n {
			vars = append(vars, name(i)+"="+value(i))
		}
		return []string{path, behind}, vars
	}
	calls := 0
	failingLater := func(path string, n int, behind string) ([]string, []string) {
		_, vars := passing(path, n, behind)
		if calls++; calls > 3 {
			return []string{"/bin/false"}, vars
		}
		return []string{path, behind}, vars
	}
	contenders := []contender{
		{name: "good", path: env, start: passing},
		{name: "forgetful", path: env, start: plain()},
		{name: "failing", path: "/bin/false", start: plain()},
		{name: "failing later", path: env, start: failingLater},
		{name: "missing", start: plain()},
	}
	results, failures := pair(contenders, 3, 5, rand.New(rand.NewPCG(1, 1)))
	if len(results) != 1 || len(results["good"]) != 5 {
		t.Errorf("results: %v", results)
	}
	for _, c := range results["good"] {
		if c.wall <= 0 {
			t.Errorf("took %v ms", c.wall)
		}
	}
	if err := failures["forgetful"]; err == nil || !strings.Contains(err.Error(), "SECRET_00000_KEY did not arrive") {
		t.Errorf("forgetful: %v", err)
	}
	if failures["failing"] == nil || failures["failing later"] == nil || !errors.Is(failures["missing"], errMissing) || failures["good"] != nil {
		t.Errorf("failures: %v", failures)
	}
}

func TestDelivered(t *testing.T) {
	whole := name(0) + "=" + value(0) + "\n" + name(1) + "=" + value(1) + "\n"
	if err := delivered(whole, 2); err != nil {
		t.Error(err)
	}
	for what, printed := range map[string]string{
		"one is missing":    name(0) + "=" + value(0) + "\n",
		"a value is cut":    strings.TrimSuffix(whole, "1\n"),
		"values are mixed":  name(0) + "=" + value(1) + "\n" + name(1) + "=" + value(0) + "\n",
		"only the pointers": name(0) + "_FILE=/a\n" + name(1) + "_FILE=/b\n",
	} {
		if delivered(printed, 2) == nil {
			t.Errorf("%s: not seen", what)
		}
	}
}

func TestEntrants(t *testing.T) {
	all := []contender{{name: "reads none"}, {name: "reads", most: 200}}
	if got := entrants(all, 0); len(got) != 2 {
		t.Errorf("0 secrets: %v", got)
	}
	if got := entrants(all, 200); len(got) != 1 || got[0].name != "reads" {
		t.Errorf("200 secrets: %v", got)
	}
	if got := entrants(all, 1_000); got != nil {
		t.Errorf("1,000 secrets: %v", got)
	}
}
