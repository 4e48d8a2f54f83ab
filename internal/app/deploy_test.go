package app

import (
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"llave/internal/jobs"
	"llave/internal/metrics"
	"llave/internal/store"
	"llave/internal/store/storetest"
)

const deploy = "../../deploy/"

func textOf(t *testing.T, path string) string {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// counted are the metrics that a process has, by name.
func counted(t *testing.T) map[string]metrics.Family {
	t.Helper()
	a := &App{Metrics: newMetrics(), Store: store.New(storetest.Bolt(t, nil)), jobs: jobs.New(jobs.Options{})}
	a.watchNow()
	all := map[string]metrics.Family{}
	for _, f := range a.Metrics.Families() {
		all[f.Name] = f
	}
	return all
}

// expressions are those of the dashboard's panels and of the alert rules, by where they stand.
func expressions(t *testing.T) map[string]string {
	t.Helper()
	var board struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr, LegendFormat string }
		}
	}
	if err := json.Unmarshal([]byte(textOf(t, deploy+"dashboard.json")), &board); err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, p := range board.Panels {
		for _, target := range p.Targets {
			all["panel "+p.Title] += target.Expr + "\n"
		}
	}
	for _, rule := range regexp.MustCompile(`(?s)- alert: (\w+)\n\s+expr: >-\n\s+(.*?)\n`).FindAllStringSubmatch(textOf(t, deploy+"alerts.yaml"), -1) {
		all["alert "+rule[1]] = rule[2]
	}
	return all
}

var (
	ours     = regexp.MustCompile(`\b(llave_\w+)(\{[^}]*\})?`)
	matcher  = regexp.MustCompile(`(\w+)\s*(?:=~|!~|!=|=)\s*"`)
	grouped  = regexp.MustCompile(`by \(([^)]*)\)`)
	rendered = regexp.MustCompile(`_(bucket|sum|count)$`)
)

// What the dashboard and the alerts ask for is there, with the labels that they pick by; and each metric is shown somewhere.
func TestDeploy_metricsExist(t *testing.T) {
	there := counted(t)
	used := map[string]bool{}
	for where, expr := range expressions(t) {
		var labels []string
		for _, m := range ours.FindAllStringSubmatch(expr, -1) {
			name := m[1]
			if base := rendered.ReplaceAllString(name, ""); there[base].Type == "histogram" {
				name = base
			}
			f, is := there[name]
			if !is {
				t.Errorf("%s asks for %s, which there is not", where, m[1])
				continue
			}
			used[name] = true
			labels = append(labels, f.Labels...)
			for _, l := range matcher.FindAllStringSubmatch(m[2], -1) {
				if !slices.Contains(f.Labels, l[1]) {
					t.Errorf("%s picks %s by %s, which it has not", where, name, l[1])
				}
			}
		}
		for _, by := range grouped.FindAllStringSubmatch(expr, -1) {
			for l := range strings.SplitSeq(by[1], ",") {
				if l = strings.TrimSpace(l); l != "le" && !slices.Contains(labels, l) {
					t.Errorf("%s groups by %s, which nothing there has", where, l)
				}
			}
		}
	}
	for name := range there {
		if !used[name] {
			t.Errorf("%s is neither on the dashboard nor in an alert", name)
		}
	}
}

// docs/metrics.md lists what there is, with type, labels and help, and nothing else.
func TestDeploy_documented(t *testing.T) {
	doc := textOf(t, "../../docs/metrics.md")
	there := counted(t)
	for _, f := range there {
		labels := make([]string, len(f.Labels))
		for i, l := range f.Labels {
			labels[i] = "`" + l + "`"
		}
		if row := "| `" + f.Name + "` | " + f.Type + " | " + strings.Join(labels, ", ") + " | " + f.Help + " |\n"; !strings.Contains(doc, row) {
			t.Errorf("docs/metrics.md has no row %s", row)
		}
	}
	if rows := strings.Count(doc, "\n| `llave_"); rows != len(there) {
		t.Errorf("docs/metrics.md has %d rows for %d metrics", rows, len(there))
	}
}

// Each alert has its entry in the runbook, is played by alerts_test.yaml, and leads to that entry; nothing else stands there.
func TestDeploy_runbook(t *testing.T) {
	rules, played, book := textOf(t, deploy+"alerts.yaml"), textOf(t, deploy+"alerts_test.yaml"), textOf(t, "../../docs/runbook.md")
	names := func(pattern, text string) (all []string) {
		for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
			all = append(all, m[1])
		}
		return all
	}
	alerts := names(`- alert: (\w+)`, rules)
	if len(alerts) == 0 {
		t.Fatal("there are no alerts")
	}
	entries := names(`(?m)^## (\w+)$`, book)
	if !slices.Equal(entries, alerts) {
		t.Errorf("the runbook has %q, the alerts are %q", entries, alerts)
	}
	for i, links := 0, names(`runbook_url: docs/runbook\.md#(\w+)`, rules); i < len(alerts); i++ {
		if i >= len(links) || links[i] != strings.ToLower(alerts[i]) {
			t.Errorf("%s has no link to its entry", alerts[i])
		}
		if !strings.Contains(played, "alertname: "+alerts[i]+"\n        exp_alerts:\n") {
			t.Errorf("%s is never seen to fire", alerts[i])
		}
	}
	for _, entry := range strings.Split(book, "\n## ")[1:] {
		for _, part := range []string{"**Means.** ", "**Look.** ", "**Do.** "} {
			if !strings.Contains(entry, part) {
				t.Errorf("the entry %s has no %s", strings.SplitN(entry, "\n", 2)[0], part)
			}
		}
	}
}

// Prometheus reads the rules; each fires on series that are made up for it, and is silent before and after.
func TestDeploy_promtool(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("no promtool: .ci/deps installs it")
		}
		t.Skip("no promtool here: it is in Debian's package prometheus; .ci/deps installs it")
	}
	for _, args := range [][]string{{"check", "rules", deploy + "alerts.yaml"}, {"test", "rules", deploy + "alerts_test.yaml"}} {
		if out, err := exec.CommandContext(t.Context(), promtool, args...).CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}
