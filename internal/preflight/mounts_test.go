package preflight

import "testing"

// What is mounted from a generation of a volume, by mountinfo's root, and what only looks a little like it.
func TestSubPathByItsRoot(t *testing.T) {
	for root, want := range map[string]bool{
		"/..2026_11_23_10_20_30.123456789/db":                                                 true,
		"/..2026_11_23_10_20_30.1//deleted":                                                   true,
		"/var/lib/kubelet/pods/u/volumes/kubernetes.io~configmap/c/..2026_11_23_10_20_30.1/d": true,
		"/": false, "/..data/x": false, "/2026_11": false, "/..2026": false, "/...2026_1": false, "/..abcd_1": false,
	} {
		if got := (Mount{root: root}).SubPath(); got != want {
			t.Errorf("%s: %v", root, got)
		}
	}
}
