package supervise

import (
	"os"
	"path/filepath"
	"testing"
)

// The two versions of control groups call their files otherwise, and no limit as well.
func TestRoom(t *testing.T) {
	for _, test := range []struct {
		name     string
		files    map[string]string
		memory   uint64
		hasMem   bool
		tasks    uint64
		hasTasks bool
	}{
		{"version 2", map[string]string{
			"memory.max": "1000\n", "memory.current": "900\n",
			"memory.stat": "anon 500\ninactive_file 100\nactive_file 50\n",
			"pids.max":    "20\n", "pids.current": "5\n",
		}, 250, true, 15, true},
		{"version 2, no limits", map[string]string{
			"memory.max": "max\n", "memory.current": "900\n", "memory.stat": "",
			"pids.max": "max\n", "pids.current": "5\n",
		}, 0, false, 0, false},
		{"version 1", map[string]string{
			"memory/memory.limit_in_bytes": "1000\n", "memory/memory.usage_in_bytes": "990\n",
			"memory/memory.stat": "cache 400\ntotal_inactive_file 7\ninactive_file 40\n",
			"pids/pids.max":      "20\n", "pids/pids.current": "20\n",
		}, 50, true, 0, true},
		{"version 1, no limits", map[string]string{
			"memory/memory.limit_in_bytes": "9223372036854771712\n",
			"memory/memory.usage_in_bytes": "990\n",
			"pids/pids.max":                "max\n", "pids/pids.current": "20\n",
		}, 0, false, 0, false},
		{"more than the limit", map[string]string{ // which was made smaller later
			"memory.max": "1000\n", "memory.current": "1200\n", "memory.stat": "",
			"pids.max": "5\n", "pids.current": "7\n",
		}, 0, true, 0, true},
		{"no control groups", nil, 0, false, 0, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			group := t.TempDir()
			for name, text := range test.files {
				file := filepath.Join(group, name)
				if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}

			if left, limited := memoryLeft(group); left != test.memory || limited != test.hasMem {
				t.Errorf("memory: %d, %v; want %d, %v", left, limited, test.memory, test.hasMem)
			}
			if left, limited := tasksLeft(group); limited != test.hasTasks ||
				limited && left != test.tasks {
				t.Errorf("tasks: %d, %v; want %d, %v", left, limited, test.tasks, test.hasTasks)
			}
		})
	}
}
