package supervise

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// Ten thousand replicas see a change at the same moment: how many act in the same second, for each splay?
// docs/watching.md has the table.
func TestSplay(t *testing.T) {
	const replicas = 10_000
	docs, err := os.ReadFile("../../docs/watching.md")
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(2026, 11))
	for _, splay := range []time.Duration{0, 10 * time.Second, time.Minute, 5 * time.Minute, 10 * time.Minute} {
		seconds := max(1, int(splay/time.Second))
		perSecond := make([]int, seconds+1)
		for range replicas {
			perSecond[int(splayed(splay, random.Int64N)/time.Second)]++
		}
		most, average := slices.Max(perSecond), (replicas+seconds/2)/seconds
		name := strings.TrimSuffix(splay.String(), "0s")
		if splay < time.Minute {
			name = strings.TrimSuffix(splay.String(), "s") + "s"
		}
		if splay == 0 {
			name = "0"
		}
		row := fmt.Sprintf("| %s | %d | %d |", name, most, average)
		t.Log(row)
		if !strings.Contains(string(docs), row+"\n") {
			t.Errorf("docs/watching.md does not have %s", row)
		}
		if splay > 0 && most > 2*average+20 {
			t.Errorf("%v: %d in one second, %d on average", splay, most, average)
		}
	}
}
