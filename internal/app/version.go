package app

import (
	"cmp"
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// Version, Commit and Date are set by the linker in releases. Where they are not, what the go command wrote into the program is used.
var (
	Version = "dev"
	Commit  = ""
	Date    = ""
)

// build is what this program was built from.
type build struct {
	Version  string `json:"version"`
	Commit   string `json:"commit"`   // empty: not known
	Date     string `json:"date"`     // of the commit, RFC 3339
	Modified bool   `json:"modified"` // the commit is not all of it
	Go       string `json:"go"`
}

func built() build {
	b := build{Version: Version, Commit: Commit, Date: Date, Go: runtime.Version()}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				b.Commit = cmp.Or(b.Commit, s.Value)
			case "vcs.time":
				b.Date = cmp.Or(b.Date, s.Value)
			case "vcs.modified":
				b.Modified = s.Value == "true"
			}
		}
	}
	if b.Version == "dev" && b.Commit != "" {
		b.Version += "-" + b.Commit[:min(12, len(b.Commit))]
	}
	return b
}

func (b build) String() string {
	modified := ""
	if b.Modified {
		modified = ", modified"
	}
	return fmt.Sprintf("llave %s (commit %s%s, %s, %s)", b.Version, cmp.Or(b.Commit, "unknown"), modified, cmp.Or(b.Date, "date unknown"), b.Go)
}

// version is what this program calls itself.
func version() string { return built().Version }

func (p *program) version() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "version", Short: "Print the version, its commit and date, and Go's", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if asJSON {
				return json.NewEncoder(p.stdout).Encode(built())
			}
			_, err := fmt.Fprintln(p.stdout, built())
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print it as JSON")
	return cmd
}
