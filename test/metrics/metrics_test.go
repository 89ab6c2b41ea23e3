// Package metrics tests what --metrics writes, and the alert rules of examples/metrics, with Prometheus' own
// parsers and rule engine.
package metrics

import (
	"bytes"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/promql/promqltest"

	"github.com/secret-entrypoint/secret-entrypoint/internal/leash"
)

func TestMain(m *testing.M) {
	leash.Hold()
	os.Exit(m.Run())
}

const canary = "c4n4ry"

const alerts = "../../examples/metrics/alerts.yaml"

// service is the program, with the file of its metrics.
type service struct {
	t       *testing.T
	secrets string
	file    string
}

func start(t *testing.T) *service {
	t.Helper()
	dir := t.TempDir()
	s := &service{t, filepath.Join(dir, "secrets"), filepath.Join(t.TempDir(), "api.prom")}
	program := filepath.Join(dir, "secret-entrypoint")
	build := exec.Command("go", "build", "-o", program, "./cmd/secret-entrypoint")
	build.Dir = "../.."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if err := os.Mkdir(s.secrets, 0o755); err != nil {
		t.Fatal(err)
	}
	s.set("db_password", canary+"-0")
	cmd := exec.Command(program, "--dir", s.secrets, "--settle", "10ms", "--on-change", "restart", "--metrics", s.file, "--", "sleep", "1000")
	var log bytes.Buffer
	cmd.Stderr = &log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Wait()
		if _, err := os.Stat(s.file); !os.IsNotExist(err) {
			t.Errorf("the file is left: %v", err)
		}
		if strings.Contains(log.String(), canary) {
			t.Error("a value is in the log")
		}
	})
	return s
}

func (s *service) set(name, value string) {
	s.t.Helper()
	file := filepath.Join(s.secrets, name)
	if err := os.WriteFile(file+".bak", []byte(value), 0o644); err != nil {
		s.t.Fatal(err)
	}
	if err := os.Rename(file+".bak", file); err != nil {
		s.t.Fatal(err)
	}
}

// until parses the file as node-exporter does, until it says what is wanted.
func (s *service) until(wanted func(map[string]*dto.MetricFamily) bool) (families map[string]*dto.MetricFamily) {
	s.t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		text, err := os.ReadFile(s.file)
		if err != nil {
			continue
		}
		if bytes.Contains(text, []byte(canary)) {
			s.t.Fatalf("a value is in the metrics: %s", text)
		}
		p := expfmt.NewTextParser(model.LegacyValidation)
		if families, err = p.TextToMetricFamilies(bytes.NewReader(text)); err != nil {
			s.t.Fatalf("%v\n%s", err, text)
		}
		if wanted(families) {
			return families
		}
	}
	s.t.Fatal("it did not come")
	return nil
}

// labels are those of a sample.
func labels(m *dto.Metric) string {
	var all []string
	for _, l := range m.GetLabel() {
		all = append(all, l.GetName()+"="+l.GetValue())
	}
	return strings.Join(all, ",")
}

func TestMetrics(t *testing.T) {
	began := time.Now().Unix()
	s := start(t)
	gauge := func(f map[string]*dto.MetricFamily, name string) float64 {
		family := f["secret_entrypoint_"+name]
		if family == nil || family.GetType() != dto.MetricType_GAUGE || family.GetHelp() == "" {
			t.Fatalf("%s: %v", name, family)
		}
		return family.GetMetric()[0].GetGauge().GetValue()
	}
	s.until(func(f map[string]*dto.MetricFamily) bool { return gauge(f, "generation") == 1 })
	s.set("db_password", canary+"-1")
	f := s.until(func(f map[string]*dto.MetricFamily) bool {
		for _, m := range f["secret_entrypoint_change_seconds"].GetMetric() {
			if labels(m) == "action=restart" && m.GetSummary().GetSampleCount() == 1 {
				return m.GetSummary().GetSampleSum() > 0
			}
		}
		return false
	})
	if at := gauge(f, "last_change_timestamp_seconds"); gauge(f, "generation") != 2 || at < float64(began) || at > float64(time.Now().Unix()) {
		t.Errorf("%v", f)
	}
	if m := f["secret_entrypoint_secret_last_change_timestamp_seconds"].GetMetric(); len(m) != 1 || labels(m[0]) != "name=DB_PASSWORD" {
		t.Errorf("%v", m)
	}
	s.set("db_password", "")
	f = s.until(func(f map[string]*dto.MetricFamily) bool { return gauge(f, "update_refused") == 1 })
	for _, m := range f["secret_entrypoint_updates_refused_total"].GetMetric() {
		if want := map[string]float64{"reason=secrets": 1, "reason=verify": 0, "reason=ready": 0}[labels(m)]; m.GetCounter().GetValue() != want {
			t.Errorf("%v", m)
		}
	}

	// Each metric that a rule asks for is there.
	for _, rule := range rules(t) {
		expr, err := parser.NewParser(parser.Options{}).ParseExpr(rule.Expr)
		if err != nil {
			t.Fatal(err)
		}
		parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
			if v, ok := n.(*parser.VectorSelector); ok && f[v.Name] == nil {
				t.Errorf("%s asks for %s, which does not exist", rule.Alert, v.Name)
			}
			return nil
		})
	}
}

// rules are those of the example, which Prometheus takes.
func rules(t *testing.T) []rulefmt.Rule {
	t.Helper()
	groups, errs := rulefmt.ParseFile(alerts, false, model.LegacyValidation, parser.NewParser(parser.Options{}), slog.New(slog.DiscardHandler))
	if errs != nil {
		t.Fatal(errs)
	}
	return groups.Groups[0].Rules
}

// Each rule fires for what it is for, and not for what is well.
func TestAlerts(t *testing.T) {
	for alert, c := range map[string]struct{ well, wrong string }{
		"SecretUpdateRefused": {
			`secret_entrypoint_update_refused{instance="a"} 0x120`,
			`secret_entrypoint_update_refused{instance="a"} 1x120`,
		},
		"SecretUpdateFlapping": {
			`secret_entrypoint_updates_refused_total{reason="verify"} 0x100 1x20`,
			`secret_entrypoint_updates_refused_total{reason="verify"} 0x60 0+1x60`,
		},
		"SecretTooOld": {
			`secret_entrypoint_secret_last_change_timestamp_seconds{name="A"} 0x120`,
			`secret_entrypoint_secret_last_change_timestamp_seconds{name="A"} -7776000x120`,
		},
		"SecretGenerationsDiffer": {
			`secret_entrypoint_generation{job="j", instance="a"} 1x120
			 secret_entrypoint_generation{job="j", instance="b"} 1x120
			 secret_entrypoint_last_change_timestamp_seconds{job="j", instance="a"} 0x120
			 secret_entrypoint_last_change_timestamp_seconds{job="j", instance="b"} 7000x120`,
			`secret_entrypoint_generation{job="j", instance="a"} 1x120
			 secret_entrypoint_generation{job="j", instance="b"} 2x120
			 secret_entrypoint_last_change_timestamp_seconds{job="j", instance="a"} 0x120
			 secret_entrypoint_last_change_timestamp_seconds{job="j", instance="b"} 7000x120`,
		},
	} {
		i := slices.IndexFunc(rules(t), func(r rulefmt.Rule) bool { return r.Alert == alert })
		if i < 0 {
			t.Errorf("there is no %s", alert)
			continue
		}
		for series, fires := range map[string]bool{c.well: false, c.wrong: true} {
			want := "0"
			if fires {
				want = "1"
			}
			engine := promqltest.NewTestEngine(t, false, 0, promqltest.DefaultMaxSamplesPerQuery)
			promqltest.RunTest(t, "load 1m\n  "+series+"\n\neval instant at 119m count("+rules(t)[i].Expr+") or vector(0)\n  {} "+want+"\n", engine)
		}
	}
	if n := len(rules(t)); n != 4 {
		t.Errorf("%d rules: test each", n)
	}
}
